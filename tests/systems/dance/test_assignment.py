"""Plans are the cheapest that keep all rules: compared with all plans there are."""

import itertools
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest

from keyweave.base.errors import InputError, KeyweaveError, NoSolution
from keyweave.systems.dance.assignment import Plan, solve
from keyweave.systems.dance.labels import Label, read_labels

LOW, HIGH = 12.0, 60.0
BUMBLEBEE = "A-B-A'-B'-C-D-C'-D'-A-B-A'-B'-C-D-C'-D'-E-F-G-G-G-G-H-H-H'-H'-G-G-G-G-H-H"


def with_mirrored(half: int) -> np.ndarray:
    return np.r_[half : 2 * half, :half]


def some_motions(seed: int, half: int, *, turning: bool = False, reach: float = 75) -> np.ndarray:
    """Motions between keyframes and their mirrored ones, some of them out of range; perhaps the same mirrored."""
    motions = np.random.default_rng(seed).uniform(4, reach, (2 * half, 2 * half))
    mirror = with_mirrored(half)
    if turning:
        motions = (motions + motions[np.ix_(mirror, mirror)]) / 2
    np.fill_diagonal(motions, 0)
    return np.round(motions, 3)


def charge(motion: float, least: float) -> float:
    return motion if motion >= least else least + (least - motion)


def alike_but_for_one(one, two, mirror) -> bool:
    """7.8 as the paper says it: they share one keyframe, in any order, and the other two are mirrored."""
    return any(
        one[i] == two[j] and one[1 - i] == mirror[two[1 - j]] and one[1 - i] != two[1 - j]
        for i, j in itertools.product((0, 1), repeat=2)
    )


def broken(steps, phi, motions, mirror, *, low=LOW, high=HIGH, pins=(), shared=False, alike=False) -> Iterator[str]:
    """Name the rules that a plan breaks; `phi` gives labels their pairs, `steps` are those that follow one another."""
    for label, (u, v) in phi.items():
        if u == v or (label not in pins and label.mirror not in pins and not low < motions[u, v] < high):
            yield "7.4"
    for one, then in steps:
        (a, b), (c, d) = phi[one], phi[then]
        if b == c or not motions[b, c] < high:
            yield "7.5"
        if not shared and one.name != then.name and (a == c or b == d):
            yield "7.9"
    for one, two in itertools.combinations(phi, 2):
        turned = tuple(mirror[k] for k in phi[two])
        if phi[one] == phi[two] or (one == two.mirror) != (phi[one] == turned):
            yield "7.7"
        if not alike and one.name != two.name and alike_but_for_one(phi[one], phi[two], mirror):
            yield "7.8"


def all_plans(labels, motions, mirror, **rules) -> Iterator[dict]:
    """Yield every plan that keeps the rules, one name of a label after the other."""
    count = len(mirror)
    names = list(dict.fromkeys(label.name for label in labels))
    pairs = list(itertools.permutations(range(count), 2))

    def with_more(phi: dict, left: list[str]) -> Iterator[dict]:
        if not left:
            yield phi
            return
        for u, v in pairs:
            more = {Label(left[0]): (u, v), Label(left[0], True): (int(mirror[u]), int(mirror[v]))}
            more = phi | {label: pair for label, pair in more.items() if label in labels}
            steps = {step for step in pairwise(labels) if set(step) <= set(more)}
            if not any(broken(steps, more, motions, mirror, **rules)):
                yield from with_more(more, left[1:])

    yield from with_more({}, names)


def cost_of(labels, phi, motions, least=0.0) -> float:
    return sum(charge(motions[phi[one][1], phi[then][0]], least) for one, then in pairwise(labels))


def some_labels(chance: np.random.Generator, names: int, length: int) -> tuple[Label, ...]:
    return tuple(Label("ABC"[chance.integers(names)], bool(chance.random() < 0.3)) for _ in range(length))


@pytest.mark.parametrize("block", range(10))
def test_a_plan_costs_what_the_cheapest_of_all_plans_costs(block: int):
    for seed in range(20 * block, 20 * block + 20):
        chance = np.random.default_rng(seed)
        labels = some_labels(chance, names=2 + seed % 2, length=int(chance.integers(1, 8)))
        motions, mirror = some_motions(seed, 2, turning=seed % 3 == 0), with_mirrored(2)
        least = float(chance.choice([0, 30]))
        costs = [cost_of(labels, phi, motions, least) for phi in all_plans(labels, motions, mirror)]
        try:
            plan = solve(labels, motions, mirror, least_transition=least)
        except NoSolution:
            assert not costs
            continue
        assert bool(costs) == (not plan.relaxed)
        if costs:
            assert plan.proved
            assert plan.cost == pytest.approx(min(costs), abs=1e-6)
            assert plan.cost == pytest.approx(cost_of(labels, plan.pairs, motions, least), abs=1e-6)
            assert not list(broken(pairwise(labels), plan.pairs, motions, mirror))


def test_a_keyframe_may_be_its_own_mirrored_one():
    """Of three keyframes two are each other's mirrored ones, and one looks the same mirrored."""
    mirror = np.array([0, 2, 1])
    for seed in range(30):
        motions = np.round(np.random.default_rng(seed).uniform(15, 55, (3, 3)), 3)
        labels = read_labels("A-A'-B-A" if seed % 2 else "A-A'-A")
        costs = [cost_of(labels, phi, motions) for phi in all_plans(labels, motions, mirror)]
        if costs:
            plan = solve(labels, motions, mirror)
            assert (plan.cost, plan.relaxed) == (pytest.approx(min(costs)), "")


@pytest.mark.parametrize("seed", range(3))
def test_a_song_of_32_segments_and_8_labels_is_planned_and_proved(seed: int):
    labels, motions, mirror = read_labels(BUMBLEBEE), some_motions(seed, 6), with_mirrored(6)
    plan = solve(labels, motions, mirror, seconds=600)  # a machine may be busy
    assert plan.proved
    assert not plan.relaxed
    assert not list(broken(pairwise(labels), plan.pairs, motions, mirror))
    assert plan.path == tuple(k for label in labels for k in plan.pairs[label])
    assert sum(plan.steps) == pytest.approx(plan.cost)


def test_rules_are_given_up_in_their_order_and_by_the_least_that_helps():
    given_up = set()
    for seed in range(24):
        chance = np.random.default_rng(seed)
        labels = some_labels(chance, names=2 + (seed > 5), length=4 + seed % 3)
        motions, mirror = some_motions(seed, 2, reach=(75, 90, 110)[seed % 3]), with_mirrored(2)
        rules: list[dict] = [{}, {"shared": True}, {"shared": True, "alike": True}]
        stage = next((k for k, rule in enumerate(rules) if any(all_plans(labels, motions, mirror, **rule))), 3)
        given_up.add(stage)
        try:
            plan = solve(labels, motions, mirror)
        except NoSolution:
            wide = rules[2] | {"low": 0, "high": np.inf}
            assert not any(all_plans(labels, motions, mirror, **wide))
            continue
        assert ("begin or end in the same keyframe" in plan.relaxed) == (stage >= 1)
        assert ("but for one mirrored keyframe" in plan.relaxed) == (stage >= 2)
        assert ("range of motion" in plan.relaxed) == (stage == 3) == (plan.high > HIGH)
        rule = rules[min(stage, 2)] | {"low": plan.low - 1e-9, "high": plan.high + 1e-9}
        costs = [cost_of(labels, phi, motions) for phi in all_plans(labels, motions, mirror, **rule)]
        assert plan.cost == pytest.approx(min(costs))
        if stage == 3:
            assert plan.low / LOW == pytest.approx(HIGH / plan.high)
            rule |= {"low": plan.low + 1e-9, "high": plan.high - 1e-9}
            assert not any(all_plans(labels, motions, mirror, **rule)), "a smaller range would have done"
    assert given_up == {0, 1, 2, 3}


def test_pins_are_kept_even_out_of_range_and_the_rest_is_the_cheapest():
    motions, mirror = some_motions(5, 2, turning=True), with_mirrored(2)
    labels = read_labels("A-B-A'-B")
    for pair in itertools.permutations(range(4), 2):
        for label in (Label("A"), Label("A", mirrored=True)):
            plans = [phi for phi in all_plans(labels, motions, mirror, pins=(label,)) if phi[label] == pair]
            plan = solve(labels, motions, mirror, pins={label: pair})
            assert plan.pairs[label] == pair
            if plans:
                assert not plan.relaxed
                assert plan.cost == pytest.approx(min(cost_of(labels, phi, motions) for phi in plans))


def test_a_label_may_have_to_end_in_the_mirrored_pose_of_its_beginning():
    motions, mirror = some_motions(3, 3), with_mirrored(3)
    labels = read_labels("A-B-C-A'-B")
    plan = solve(labels, motions, mirror, mirrored_pose_labels=["A", "C"])
    costs = [
        cost_of(labels, phi, motions)
        for phi in all_plans(labels, motions, mirror)
        if all(phi[name][1] == mirror[phi[name][0]] for name in (Label("A"), Label("C")))
    ]
    assert plan.cost == pytest.approx(min(costs))
    assert all(plan.pairs[Label(name)][1] == mirror[plan.pairs[Label(name)][0]] for name in "AC")


def test_a_transition_that_is_too_still_is_charged_as_one_that_moves_as_much_more():
    """Between A=0>1 and B stand two ways: one nearly still, one of twice the least motion and a little less."""
    motions = np.full((4, 4), 70.0)
    motions[0, 1] = motions[2, 3] = motions[3, 2] = 30
    motions[1, 2], motions[1, 3] = 4, 15
    pins = {Label("A"): (0, 1)}
    labels, alone = read_labels("A-B"), np.arange(4)
    assert solve(labels, motions, alone, pins=pins).pairs[Label("B")] == (2, 3)
    plan = solve(labels, motions, alone, pins=pins, least_transition=10)
    assert (plan.pairs[Label("B")], plan.steps) == ((3, 2), (15.0,))
    plan = solve(labels, motions, alone, pins=pins, least_transition=9)
    assert (plan.pairs[Label("B")], plan.steps) == ((2, 3), (14.0,))


def test_a_plan_is_the_same_again_and_begins_with_the_lower_number_where_mirroring_changes_nothing():
    labels, motions, mirror = read_labels("A-B-A'-C-C-B'"), some_motions(8, 4, turning=True), with_mirrored(4)
    plan = solve(labels, motions, mirror)
    assert solve(labels, motions, mirror) == plan
    first = plan.pairs[Label("A")]
    assert first < (mirror[first[0]], mirror[first[1]])
    level = np.where(np.eye(8, dtype=bool), 0, 30.0)  # all plans are charged the same
    assert solve(labels, level, mirror) == solve(labels, level, mirror)


def test_without_time_the_best_so_far_is_handed_over_with_an_honest_gap():
    labels, motions, mirror = read_labels(BUMBLEBEE), some_motions(2, 4), with_mirrored(4)
    best, hasty = solve(labels, motions, mirror, seconds=600), solve(labels, motions, mirror, seconds=0)
    assert best.proved
    assert best.gap == 0
    assert not hasty.proved
    assert hasty.bound <= best.cost <= hasty.cost
    assert hasty.gap == pytest.approx((hasty.cost - hasty.bound) / hasty.cost)
    assert not list(broken(pairwise(labels), hasty.pairs, motions, mirror))


def refused(
    labels: str, half: int = 3, *, mirror=None, kind: type[KeyweaveError] = InputError, motions=None, **wishes
) -> str:
    mirror = with_mirrored(half) if mirror is None else np.array(mirror, int)
    motions = np.full((len(mirror),) * 2, 30.0) if motions is None else motions
    with pytest.raises(kind) as said:
        solve(read_labels(labels) if labels else (), motions, mirror, **wishes)
    return str(said.value)


def pinned(**pairs: tuple[int, int]) -> dict[Label, tuple[int, int]]:
    return {read_labels(name.replace("_", "'"))[0]: pair for name, pair in pairs.items()}


def test_what_cannot_be_is_refused_in_one_sentence():
    assert "a label or more; got none" in refused("")
    assert "2 keyframes or more; got 1" in refused("A", mirror=[0])
    assert "The choreography has B', and no keyframe has a mirrored one." in refused("A-B'", mirror=[0, 1, 2])
    assert "from 0 or more to something larger; got 60 to 12" in refused("A", low=60, high=12)
    assert "C=1>2 gives keyframes to C, which is not in the choreography A-B." in refused("A-B", pins=pinned(C=(0, 1)))
    assert "A=1>7 names keyframe 7; there are 1 to 6." in refused("A", pins=pinned(A=(0, 6)))
    assert "A=3>3 begins and ends in one keyframe" in refused("A", pins=pinned(A=(2, 2)))
    clash = refused("A-A'", pins=pinned(A=(0, 1), A_=(3, 5)))
    assert clash.endswith("contradict each other: A' is A mirrored, which would be A'=4>5.")
    assert "the same keyframes" in refused("A-B", pins=pinned(A=(0, 1), B=(0, 1)))
    assert "are each other mirrored" in refused("A-B", pins=pinned(A=(0, 1), B=(3, 4)))
    assert "Z is to end in the mirrored pose" in refused("A-B", mirrored_pose_labels=["Z"])
    assert "A-A' would stand still" in refused("B-A-A'", mirrored_pose_labels=["A"])
    pose = refused("A-B", mirrored_pose_labels=["A"], pins=pinned(A=(0, 1)))
    assert pose.endswith("which A is to do. The mirrored one of keyframe 1 is 4.")


def test_what_has_no_plan_is_said_with_what_would_help():
    crowded = refused("A-B-C-D-E-F-G", half=2, kind=NoSolution)
    assert "7 different motions need as many pairs of keyframes; 4 keyframes, mirrored ones counted, make 6" in crowded
    assert "Add keyframes" in crowded
    stuck = refused("A-B", mirror=[0, 1], kind=NoSolution)  # B after A would have to begin where A ended
    assert "No plan gives each of 2 motions a pair of keyframes of its own" in stuck
    still = refused("A-B", half=2, kind=NoSolution, motions=np.zeros((4, 4)))
    assert "0 of 12 pairs move within 12 to 60." in still
    assert "unpin" in refused("A-B-A", kind=NoSolution, half=3, pins=pinned(A=(0, 1), B=(1, 0)))


def test_a_mirror_that_does_not_lead_back_is_a_mistake_of_the_programmer():
    with pytest.raises(ValueError, match="is the keyframe itself"):
        solve(read_labels("A"), np.zeros((3, 3)), [1, 2, 0])


def test_a_plan_that_is_not_proved_says_how_far_it_may_be_off():
    plan = Plan((Label("A"),), {Label("A"): (0, 1)}, (), cost=10.0, bound=8.0, low=12, high=60)
    assert (plan.gap, plan.proved, plan.path) == (pytest.approx(0.2), False, (0, 1))
