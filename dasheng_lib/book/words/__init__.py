"""What chapters say beside their numbers, each sentence computed from them."""
