"""The one exception that is meant for people: a sentence that says what to do."""


class UserError(Exception):
    """Something the reader can mend; its text is one sentence that says how.

    The command line prints the sentence and exits with 2; a notebook shows the sentence
    in place of a traceback. Anything else that is raised is a bug and keeps its traceback.
    """

    def _render_traceback_(self) -> list[str]:  # IPython's hook
        return [f"{type(self).__name__}: {self}"]
