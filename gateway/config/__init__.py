"""Reading the files people edit, with file and line for every error."""
