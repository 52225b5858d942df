"""The optimiser's loop: TRL's SFTTrainer, told what the recipe says, and nothing it would do of its own accord.

transformers is given one batch an optimiser step (`trainer.steps.batches`), and `training_step` cuts it into passes. So the
rows of a step do not depend on the micro-batch; a step's loss is the mean over all its trained tokens, whatever passes
they fell into; and when memory runs out the step can begin again with smaller passes, before anything was updated.
Several processes share a step's rows, and add their gradients up once its passes are done (`trainer.steps.processes`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plugins.contracts import Loaded
from trainer import runs
from trainer.data import MASKED
from trainer.plan import Plan
from trainer.runs import Run
from trainer.seeing.progress import say
from trainer.steps import batches, memory, processes
from trainer.steps.batches import Batch
from trainer.steps.packing import Collator
from trainer.watching.resuming import Resumable

if TYPE_CHECKING:
    from trainer.watching.watch import Watch


def make(
    plan: Plan, run: Run, loaded: Loaded, collator: Collator, watch: Watch | None, precision: str
) -> Any:
    """TRL's SFTTrainer, quiet, counting trained tokens for the journal. Of several processes only the main one has a `watch`."""
    import transformers
    import trl

    from trainer.steps import optimizers

    transformers.logging.set_verbosity_error()  # its notices speak of defaults that are all set here
    arguments = _arguments(plan, run, loaded, precision)
    # Made here and not once, because the backend may have put its own SFTTrainer into trl.
    trainer = type("Trainer", (Loop, trl.SFTTrainer), {})(
        model=loaded.model,
        args=arguments,
        data_collator=collator,
        train_dataset=plan.datasets["train"],
        processing_class=loaded.tokenizer,
        callbacks=[watch] if watch else [],
        optimizers=optimizers.make(loaded.model, plan.train, plan.steps, plan.resolved.optimizer, arguments),
    )
    trainer.watch = watch
    trainer.step_rows = plan.steps.batch
    # It prints every step to stdout, which belongs to data.
    trainer.remove_callback(transformers.PrinterCallback)
    return trainer


def _arguments(plan: Plan, run: Run, loaded: Loaded, precision: str) -> Any:
    import trl

    from trainer.steps.arguments import sft_arguments

    settings = sft_arguments(
        plan.train, plan.steps, run.path / runs.CHECKPOINTS, device=plan.device, precision=precision
    )
    ours = {
        "gradient_accumulation_steps": 1,  # a step is one batch to transformers
        "average_tokens_across_devices": False,  # a batch knows the tokens of all processes
        "ddp_timeout": processes.PATIENCE,
        "log_level_replica": "error",  # processes but the main one; as above
    }
    arguments = trl.SFTConfig(**settings | loaded.arguments | ours)
    # One device: with several GPUs in sight transformers would split each micro-batch over copies of the model, so that a step
    # took more rows than the recipe's.
    arguments._n_gpu = min(arguments.n_gpu, 1)  # noqa: SLF001  transformers itself sets it so; there is no public way
    return arguments


class Loop(Resumable):
    """What is mixed in before `trl.SFTTrainer`; the names are transformers' own, but for `shrunk_to` and `step_rows`."""

    control: Any
    callback_handler: Any
    train_dataset: Any
    data_collator: Any
    model_accepts_loss_kwargs: bool
    aux_loss_enabled = False
    step_rows: int
    """Rows per optimiser step, over all processes."""

    @property
    def shrunk_to(self) -> int | None:
        """Rows a pass holds since memory ran out; None where it never did."""
        now: int | None = self.state.train_batch_size  # None where no step was left to do
        return now if now and now < self.args.per_device_train_batch_size else None

    def train(self, *args: Any, **kwargs: Any) -> Any:
        """transformers' own. Memory that ran out where no smaller pass would help is told with what would: after an update, there is no way back."""
        try:
            return super().train(*args, **kwargs)  # type: ignore[misc]
        except Exception as error:
            if not memory.out_of_memory(error):
                raise
            raise memory.beyond_passes(str(error)) from error

    def get_train_dataloader(self) -> Any:
        """One item a step."""
        return batches.loader(
            self.train_dataset,
            batch_size=self.step_rows,
            seed=self.args.data_seed,
            process=self.args.process_index,
            processes=self.args.world_size,
        )

    def get_batch_samples(
        self, epoch_iterator: Any, num_batches: int, device: Any
    ) -> tuple[list[Batch], None]:
        """One batch, which knows its own number of tokens."""
        return [next(epoch_iterator)], None

    def training_step(self, model: Any, inputs: Batch, num_items_in_batch: Any = None) -> Any:
        """One optimiser step's passes, begun again with smaller ones where memory does not suffice; then the sum over processes.

        Returns the step's mean loss over its trained tokens, a scalar tensor without gradient.
        """
        # Not `model`, which for several processes is torch's wrapper around `self.model` (see `trainer.steps.processes`).
        loss = self._step(inputs)
        processes.add_up(self.model, loss)
        if self.watch:
            self.watch.tokens += inputs.trained
        return loss

    def _step(self, batch: Batch) -> Any:
        while True:
            try:
                return self._passes(batch)
            except Exception as error:
                if not memory.out_of_memory(error):
                    raise
                reason = str(error)
            # Outside the except block, because the error's traceback holds the tensors of the pass that failed.
            self.model.zero_grad()  # what the passes before it left, which are computed again
            memory.release()
            self._shrink(len(batch.rows), reason)

    def _passes(self, batch: Batch) -> Any:
        import torch

        loss = torch.zeros((), device=self.args.device)
        tokens = torch.tensor(batch.trained, device=self.args.device)
        # The state's own field for rows a pass: it is written into checkpoints, so a resumed run takes it up.
        for rows in batches.passes(batch.rows, self.state.train_batch_size):
            loss += super().training_step(self.model, self.data_collator(rows), tokens)  # type: ignore[misc]
        return loss

    def _shrink(self, rows: int, reason: str) -> None:
        failed = min(rows, self.state.train_batch_size)
        self.state.train_batch_size = memory.smaller(failed, reason)
        line = memory.told(failed, self.state.train_batch_size, self.state.global_step + 1)
        if self.watch:
            self.watch.progress.say(line)
        else:
            say(f"process {self.args.process_index}: {line}")

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], *args: Any, num_items_in_batch: Any = None, **more: Any
    ) -> Any:
        """transformers' own. TRL's wraps it in metrics that nobody reads here, each of which waits for the device in every pass."""
        import transformers

        inputs["use_cache"] = False  # as TRL's does: a cache undoes packing's mask
        if self.aux_loss_enabled:
            inputs["output_router_logits"] = True
        loss = transformers.Trainer.compute_loss(self, model, inputs, num_items_in_batch=num_items_in_batch)
        if not self.model_accepts_loss_kwargs:  # then it is the mean over the pass
            loss = loss * (inputs["labels"][:, 1:] != MASKED).sum() / num_items_in_batch
        return loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """A step is noted; transformers saves and stops right after. Of several processes the main one decides on both: it alone has measured."""
        super().log(logs, start_time)  # type: ignore[misc]
        control = self.control
        control.should_save, control.should_training_stop = processes.told((
            control.should_save,
            control.should_training_stop,
        ))

    def floating_point_ops(self, inputs: Any) -> int:
        """None counted: nobody reads them."""
        return 0

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """None: TRL's card knows nothing of the corpus, and is written into every checkpoint."""

    def _send_telemetry(self) -> None:
        """None: TRL would tell the model hub of every run, and training reads and writes no network."""
