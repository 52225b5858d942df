"""What counts as running out of memory, and how to get back what a failed pass still holds.

PyTorch has one exception for its own allocators, but the libraries below it (cuBLAS, cuDNN, Triton, the CPU
allocator) raise a plain RuntimeError that only its text tells apart. accelerate's `should_reduce_batch_size` was
rejected: it wants the full stop after "out of memory", so it misses "CUDA error: out of memory", and knows no cuBLAS.
A process that the kernel kills for its memory raises nothing: that cannot be caught here.
"""

from __future__ import annotations

from schemas.errors import UserError

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


def smaller(rows: int, reason: str) -> int:
    """Half of `rows`, which did not fit. Raises UserError where that was a single one."""
    if rows > 1:
        return rows // 2
    raise UserError(
        f"memory ran out on a pass of a single row ({reason.splitlines()[0] if reason else 'no more is known'}), so no "
        "smaller pass is left to try. What takes less memory in [train], the most helpful first: gradient_checkpointing = true; "
        'quantization = "4bit" (on a GPU); a smaller max_length, with [tokens] max_tokens to match; a smaller lora.r or fewer '
        "lora.targets; a smaller model."
    )


def beyond_passes(reason: str) -> UserError:
    """The error for memory that ran out outside a step's passes: in the optimiser, whose moments are made at the first step, or in an evaluation."""
    return UserError(
        f"memory ran out outside the passes, in the optimiser or an evaluation ({reason.splitlines()[0] if reason else 'no more is known'}), so the "
        'run ended. What takes less there, in [train]: optimizer = "adamw-8bit" (on a GPU); a smaller lora.r; eval_batch_size = 1; '
        "a smaller micro_batch_size, which leaves more room. If it wrote a checkpoint, it goes on from there: --resume"
    )


def told(before: int, now: int, step: int) -> str:
    """What the run says when it goes on with smaller passes."""
    return (
        f"memory ran out at step {step} with {before} rows a pass: from here on {now} a pass, and more passes a step. The loss is "
        f"the same, but the failed pass was for nothing: write micro_batch_size = {now}."
    )
