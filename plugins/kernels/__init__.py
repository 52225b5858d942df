"""Columnar text kernels over Arrow buffers (UTF-8 bytes and offsets), for built-ins and plugin authors alike."""
