"""Out of gristmill: documents as records of shapes that others read, and files of them."""
