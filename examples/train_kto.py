"""Multi-turn KTO on an export of `tir export RUN --format kto`, on a CPU or a GPU.

python examples/train_kto.py --model DIR --data EXPORT --out DIR

The loss is on the model's own tokens alone; the first batch is shown and checked before training begins.
"""

import argparse
import logging
from pathlib import Path

from trl import KTOConfig

from tir_agent.settings import ExportKind
from tir_agent.training.command import Help, run_recipe
from tir_agent.training.exports import TRAIN, VALIDATION, read_rows
from tir_agent.training.first_batch import check_first_batch
from tir_agent.training.kto import MaskedKTOTrainer
from tir_agent.training.progress import narrate, train_and_save
from tir_agent.training.rows import prepare
from tir_agent.training.setting import check_out, load_model, load_tokenizer, trainer_settings


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=Help)
    parser.add_argument("--model", required=True, help="folder or name on the hub; also the reference")
    parser.add_argument("--data", required=True, type=Path, help="folder that tir export made")
    parser.add_argument("--out", required=True, type=Path, help="new folder for the trained model")
    parser.add_argument("--seed", type=int, default=0, help="of the order of the rows")
    parser.add_argument("--max-length", type=int, default=2048, help="longer rows are left out")
    # arXiv:2409.02392: learning rate 2e-7 to 4e-7, batches of 32, as many desirable rows as undesirable ones
    # with weights of 1; its published code: one epoch, cosine, a tenth of the steps to warm up. Where the
    # numbers differ, export.json names the weights that make up for it.
    parser.add_argument("--beta", type=float, default=0.1, help="how near to the reference")
    parser.add_argument("--desirable-weight", type=float, default=1.0, help="in the loss")
    parser.add_argument("--undesirable-weight", type=float, default=1.0, help="in the loss")
    parser.add_argument("--lr", type=float, default=4e-7, help="learning rate")
    parser.add_argument("--warmup", type=float, default=0.1, help="share of the steps")
    parser.add_argument("--epochs", type=float, default=1, help="times through the rows")
    parser.add_argument(
        "--batch", type=int, default=8, help="rows at once, two at the least: the KL term needs others"
    )
    parser.add_argument("--accumulate", type=int, default=4, help="batches in a step")
    parser.add_argument("--steps", type=int, help="end after so many steps")
    parser.add_argument(
        "--validate",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="afterwards, on its split, if any",
    )
    parser.add_argument("--bf16", action=argparse.BooleanOptionalAction, help="default: where it saves time")
    parser.add_argument(
        "--precompute",
        action="store_true",
        help="ask the reference first, and keep no second model in memory",
    )
    return parser.parse_args()


def main(options: argparse.Namespace) -> None:
    check_out(options.out)
    rows = read_rows(options.data, TRAIN, (ExportKind.KTO,))
    held = read_rows(options.data, VALIDATION, (ExportKind.KTO,)) if options.validate else []
    tokenizer = load_tokenizer(options.model)
    train, validation = (
        prepare(split, ExportKind.KTO, tokenizer, max_length=options.max_length) for split in (rows, held)
    )
    logging.info("Training: %s", train.account)
    logging.info("Validation: %s", validation.account)
    config = KTOConfig(
        beta=options.beta,
        desirable_weight=options.desirable_weight,
        undesirable_weight=options.undesirable_weight,
        precompute_ref_log_probs=options.precompute,
        **trainer_settings(
            options.out,
            seed=options.seed,
            epochs=options.epochs,
            steps=options.steps,
            learning_rate=options.lr,
            warmup=options.warmup,
            batch=options.batch,
            accumulate=options.accumulate,
            bf16=options.bf16,
        ),
    )
    trainer = MaskedKTOTrainer(
        model=load_model(options.model),
        args=config,
        processing_class=tokenizer,
        train_dataset=train.dataset(),
        eval_dataset=validation.dataset() if len(validation) else None,
    )
    narrate(trainer)
    check_first_batch(trainer, train)
    train_and_save(
        trainer, options.out, vars(options), {TRAIN: train.account, VALIDATION: validation.account}
    )


if __name__ == "__main__":
    run_recipe(main, arguments())
