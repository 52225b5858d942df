"""What counts as running out of memory, and how to get back what a failed pass still holds.

PyTorch has one exception for its own allocators, but the libraries below it (cuBLAS, cuDNN, Triton, the CPU
allocator) raise a plain RuntimeError that only its text tells apart. accelerate's `should_reduce_batch_size` was
rejected: it wants the full stop after "out of memory", so it misses "CUDA error: out of memory", and knows no cuBLAS.
A process that the kernel kills for its memory raises nothing: that cannot be caught here.
"""

from __future__ import annotations

import gc

TEXTS = (
    "out of memory",  # CUDA, HIP, XPU, MPS, Triton: "CUDA error: out of memory", "Triton Error [CUDA]: out of memory"
    "cublas_status_alloc_failed",
    "cudnn_status_alloc_failed",
    "cusolver_status_alloc_failed",
    "cusparse_status_insufficient_resources",
    "can't allocate memory",  # DefaultCPUAllocator on Linux
    "not enough memory",  # DefaultCPUAllocator on Windows and macOS
    "std::bad_alloc",
    "failed to allocate",
)
"""Lower-case parts of a RuntimeError's text that mean memory."""


def out_of_memory(error: BaseException) -> bool:
    """Whether `error` says that memory ran out, on a GPU or in main memory.

    >>> out_of_memory(RuntimeError("CUDA error: out of memory")), out_of_memory(RuntimeError("size mismatch"))
    (True, False)
    """
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error).lower() for text in TEXTS)


def release() -> None:
    """Give back what no tensor holds any more. Call it outside the `except` block, whose traceback holds the pass's tensors."""
    from accelerate.utils.memory import clear_device_cache

    clear_device_cache(garbage_collection=True)
