"""The optimiser's loop: TRL's SFTTrainer, told what the recipe says, and nothing it would do of its own accord."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plugins.contracts import Loaded
from trainer import runs
from trainer.data import MASKED
from trainer.packing import Collator
from trainer.plan import Plan
from trainer.runs import Run

if TYPE_CHECKING:
    from trainer.watch import Watch


def make(plan: Plan, run: Run, loaded: Loaded, collator: Collator, watch: Watch, precision: str) -> Any:
    """TRL's SFTTrainer, quiet, counting trained tokens for the journal."""
    import transformers
    import trl

    from trainer.arguments import optimizer_class, sft_arguments

    class Counting(trl.SFTTrainer):
        def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> Any:
            watch.tokens += int((inputs["labels"] != MASKED).sum())
            return super().training_step(model, inputs, num_items_in_batch)

        def create_model_card(self, *args: Any, **kwargs: Any) -> None:
            """None: TRL's card knows nothing of the corpus, and is written into every checkpoint."""

        def _send_telemetry(self) -> None:
            """None: TRL would tell the model hub of every run, and training reads and writes no network."""

    transformers.logging.set_verbosity_error()  # its notices speak of defaults that are all set here
    settings = sft_arguments(
        plan.train, plan.steps, run.path / runs.CHECKPOINTS, device=plan.device, precision=precision
    )
    arguments = trl.SFTConfig(**settings | loaded.arguments)
    # One device: with several GPUs in sight transformers would split each micro-batch over copies of the model, so that a step
    # took more rows than the recipe's.
    arguments._n_gpu = min(arguments.n_gpu, 1)  # noqa: SLF001  transformers itself sets it so; there is no public way
    trainer = Counting(
        model=loaded.model,
        args=arguments,
        data_collator=collator,
        train_dataset=plan.datasets["train"],
        processing_class=loaded.tokenizer,
        callbacks=[watch],
        optimizer_cls_and_kwargs=optimizer_class(plan.train),
    )
    trainer.remove_callback(
        transformers.PrinterCallback
    )  # it prints every step to stdout, which belongs to data
    return trainer
