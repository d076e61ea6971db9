"""Part two: near-copies among the functions, where who counts votes as independent is misled."""

from tests.benchmarks.weak_supervision import contenders, measures
from tests.votes import with_near_copies

NAMES = ("oracle", "ours", "ours, declared", "plain EM", "majority vote", "snorkel")


def compare(rows: int, seeds: int, copies: int, fidelity: float) -> list[dict[str, float]]:
    """The accuracy of each contender: {seed, <contender>: value}, for each seed."""
    worlds = [with_near_copies(seed, copies, fidelity) for seed in range(seeds)]
    drawn = [world.draw(rows, seed) for seed, world in enumerate(worlds)]
    theirs = contenders.snorkel([votes for votes, _ in drawn], 2, [None] * seeds)
    found = []
    for seed, (votes, truth) in enumerate(drawn):
        together = [[0, *worlds[seed].copies]]
        posteriors = {
            "oracle": worlds[seed].oracle(votes),
            "ours": contenders.label_model(votes, 2),
            "ours, declared": contenders.label_model(votes, 2, dependencies=together),
            "plain EM": contenders.label_model(votes, 2, dependencies=None),
            "majority vote": contenders.majority_vote(votes, 2),
            "snorkel": theirs[seed],
        }
        found.append(
            {"seed": seed, **{name: measures.accuracy(posterior, truth) for name, posterior in posteriors.items()}}
        )
    return found


def at_least_majority(runs: list[dict[str, float]], name: str) -> int:
    """On how many seeds a contender is at least as good as majority vote."""
    return sum(run[name] >= run["majority vote"] for run in runs)


def gap_closed(runs: list[dict[str, float]], name: str) -> float:
    """How much of the way from majority vote to the oracle a contender goes, the mean over the seeds."""
    ways = [(run[name] - run["majority vote"]) / (run["oracle"] - run["majority vote"]) for run in runs]
    return sum(ways) / len(ways)
