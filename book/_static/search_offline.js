/* Under its results the search shows lines of the pages, which a browser does not let it read where
   the book was opened as a file: there it shows the results alone, and no errors. */
if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
