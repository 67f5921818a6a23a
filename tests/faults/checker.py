"""Joins the ledgers of clients, sinks and events, and says which invariants hold.

Reads nothing but those three files. I1 no loss, I2 bounded doubles, I3 no ghosts, I4 one final receipt, I5 ids,
I6 content, I11 segments, I12 time (`reliability` of the project numbers them so). I10 needs the hub's counters, which
the scenario hands in.
"""

import bisect
import collections
import pathlib

import ledger
from sink import decision

# A message that left before an event may reach the sink this much later; and so long may an answer be on its way to the hub.
SLACK_S = 1.0


class Joined:
    """All ledgers of a run, by token and id."""

    def __init__(self, directory):
        directory = pathlib.Path(directory)
        self.sent, self.resp, self.token_of, self.unknown = {}, {}, {}, set()
        self.receipts = collections.defaultdict(list)
        self.got = collections.defaultdict(list)
        self.groups = collections.defaultdict(dict)
        self.repeated_ids, self.events, self.receipts_lost = [], [], 0
        for line in ledger.read(directory / "clients.jsonl"):
            self.client(line)
        for line in ledger.read(directory / "sinks.jsonl"):
            self.sink(line)
        for line in ledger.read(directory / "events.jsonl"):
            if line["e"] != "begin":
                self.events.append(line)
        self.accepted = {token for token, (_, status, _) in self.resp.items() if status == 0}
        self.refused = {token for token, (_, status, _) in self.resp.items() if status != 0}

    def client(self, line):
        """A line of the clients' ledger."""
        event = line["e"]
        if event == "sent":
            self.sent[line["k"]] = line
            if "g" in line:
                name, total, number = line["g"]
                self.groups[name, total][number] = line["k"]
        elif event == "resp":
            if line["k"] == "None":
                return
            self.resp[line["k"]] = (line["t"], line["st"], line["id"])
            if line["st"] == 0:
                if line["id"] in self.token_of:
                    self.repeated_ids.append(line["id"])
                self.token_of[line["id"]] = line["k"]
        elif event == "receipt":
            self.receipts[line["id"]].append(line)
        elif event == "lost":
            self.unknown.update(line["k"])

    def sink(self, line):
        """A line of the sinks' ledger."""
        event = line["e"]
        if event == "got":
            line["ans"] = line["t"] if line["st"] is not None else None
            self.got[line["k"]].append(line)
        elif event == "ans" and line["said"]:
            for got in reversed(self.got[line["k"]]):
                if got["ans"] is None:
                    got["ans"], got["st"] = line["t"], line["st"]
                    break

    def taken(self, token):
        """Times that a sink took it, or may have meant to."""
        return [got for got in self.got.get(token, ()) if got["st"] in (0, None)]


class Verdict:
    """What was found: figures, and breaches by invariant."""

    def __init__(self):
        self.figures, self.breaches = {}, collections.defaultdict(list)

    def breach(self, invariant, what):
        """One breach."""
        self.breaches[invariant].append(what)

    def report(self):
        """Breaches in short: how many of each, and the first few."""
        return {name: {"count": len(all_), "first": all_[:5]} for name, all_ in self.breaches.items()}


def check(directory, *, receipts=True, allowed=None, timer_s=30.0, ignore=(), extra_receipts=0, lateness_s=None,
          ambiguous=None):
    """Checks a run. `allowed(token, state)` judges final states that the sinks did not decide; `timer_s` is the hub's
    wait for an answer; `extra_receipts` how many receipts may come again; `ambiguous` a destination where nobody could tell
    whose receipt is whose."""
    run, verdict = Joined(directory), Verdict()
    figures = verdict.figures
    figures.update(sent=len(run.sent), accepted=len(run.accepted), refused=len(run.refused), unknown=len(run.unknown),
                   statuses=dict(collections.Counter(status for _, status, _ in run.resp.values() if status)))
    finals = no_loss(run, verdict, receipts, allowed, ambiguous)
    doubles(run, verdict, timer_s)
    for token in run.got:
        if token not in run.sent:
            verdict.breach("I3", f"{token} was never sent")
        elif token in run.refused:
            verdict.breach("I3", f"{token} was refused and came")
    extra = sum(max(0, len(lines) - 1) for lines in finals.values())
    figures["receipts_again"] = extra
    if extra > extra_receipts:
        verdict.breach("I4", f"{extra} receipts came again; at most {extra_receipts} may")
    for message_id in run.repeated_ids:
        verdict.breach("I5", f"id {message_id} was given twice")
    strange = [message_id for message_id in run.receipts if message_id not in run.token_of]
    figures["receipts_of_unanswered"] = len(strange)
    if len(strange) > len(run.unknown):
        verdict.breach("I5", f"{len(strange)} receipts with ids that nobody was given, first {strange[:3]}")
    for token, all_ in run.got.items():
        if token in run.sent and any(got["d"] != run.sent[token]["d"] for got in all_):
            verdict.breach("I6", f"{token} came changed")
    segments(run, verdict)
    times(run, verdict, lateness_s)
    answers = sorted(run.resp[token][0] - run.sent[token]["t"] for token in run.accepted)
    if answers:
        figures["answer_ms"] = {name: round(1000 * answers[min(len(answers) - 1, int(len(answers) * share))], 1)
                                for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))}
    for name in ignore:
        verdict.breaches.pop(name, None)
    return run, verdict


def no_loss(run, verdict, receipts, allowed, ambiguous):
    """I1 and I4: each accepted message went out or ended otherwise, and has one final state, the sink's."""
    finals, states = {}, collections.Counter()
    for token in run.accepted:
        lines = [line for line in run.receipts.get(run.resp[token][2], ()) if line["esm"] & 0x3C == 4]
        finals[token] = [line for line in lines if line["said"] in ("ok",) or "." in line["said"]]
        took = run.taken(token)
        told = {line["state"] for line in lines}
        states.update(told)
        if not took and not told - {"DELIVRD"}:
            verdict.breach("I1", f"{token} was accepted and never came")
        if not receipts:
            continue
        if not lines:
            verdict.breach("I4", f"{token} (id {run.resp[token][2]}) has no final receipt")
        for state in told:
            if took and (state == decision(token).decode() or run.sent[token]["to"] == ambiguous):
                continue
            if not (allowed and allowed(token, state)):
                verdict.breach("I4", f"{token} was told {state}")
        if len(told) > 1:
            verdict.breach("I4", f"{token} was told {sorted(told)}")
    verdict.figures["states"] = dict(states)
    return finals


def doubles(run, verdict, timer_s):
    """I2: a message comes again only after an event that left its fate open, and so do not more than windows hold."""
    events = [event for event in run.events if event.get("window")]
    # An event that lasts opens the windows again each time that the wait for an answer is over.
    allowed = sum(event["window"] * (1 + int((event["t"] - began(event)) / timer_s)) for event in events)
    durable = Durable(run)
    count = excused = 0
    for token, all_ in run.got.items():
        for first, again in zip(all_, all_[1:]):
            if first["st"] not in (0, None):
                continue
            count += 1
            unanswered = first["ans"] is None or first["ans"] - first["t"] >= timer_s - 0.5
            if unanswered and again["t"] - first["t"] >= timer_s - 0.5:
                excused += 1
                continue
            open_until = durable.after(first["ans"] or first["t"] + timer_s)
            if not any(first["t"] - SLACK_S <= event["t"] and began(event) <= min(again["t"], open_until) and
                       first["s"][0] in event["links"] for event in events):
                verdict.breach("I2", f"{token} came at {first['t']:.3f} and {again['t']:.3f} without an event")
    verdict.figures.update(doubles=count, doubles_allowed=allowed, doubles_after_timer=excused)
    if count - excused > allowed:
        verdict.breach("I2", f"{count} doubles; the events allow {allowed}")


class Durable:
    """By when what the hub knew at a time was on disk for sure, as far as clients can tell.

    Its log is in order, so a yes to what was submitted later proves it. A disk may stall for seconds.
    """

    def __init__(self, run):
        yes = sorted((run.sent[token]["t"], run.resp[token][0]) for token in run.accepted)
        self.sent, self.proof, soonest = [sent for sent, _ in yes], [], float("inf")
        for _, answered in reversed(yes):
            soonest = min(soonest, answered)
            self.proof.append(soonest)
        self.proof.reverse()

    def after(self, moment):
        """When what the hub was told at `moment` was durable."""
        at = bisect.bisect_left(self.sent, moment + SLACK_S)
        return self.proof[at] if at < len(self.proof) else float("inf")


def began(event):
    """When an event began; most are over at once."""
    return event.get("since", event["t"])


def segments(run, verdict):
    """I11: parts came all or ended alike, one carrier has them all; in order over one link unless an event came between.

    What a carrier left unanswered may come to another one again, and the text is whole there.
    """
    groups = moved = 0
    for (name, total), parts in run.groups.items():
        tokens = [parts.get(number) for number in range(1, total + 1)]
        if None in tokens or not all(token in run.accepted for token in tokens):
            continue
        came = [run.got.get(token) for token in tokens]
        if not all(came):
            continue
        groups += 1
        firsts = [all_[0] for all_ in came]
        if not set.intersection(*({got["s"][0] for got in all_} for all_ in came)):
            verdict.breach("I11", f"group {name} went to several carriers")
        since, until = run.sent[tokens[0]]["t"] - SLACK_S, max(got["t"] for got in firsts) + SLACK_S
        if any(len(all_) > 1 for all_ in came) or any(
                event["t"] >= since and began(event) <= until for event in run.events):
            continue
        if [got["u"] for got in firsts] != [[total, number] for number in range(1, total + 1)]:
            verdict.breach("I11", f"group {name} has wrong headers")
        if len({got["s"] for got in firsts}) > 1:
            moved += 1
        elif [got["q"] for got in firsts] != sorted(got["q"] for got in firsts):
            verdict.breach("I11", f"group {name} came out of order on one link")
    verdict.figures.update(groups=groups, groups_over_two_links=moved)


def times(run, verdict, lateness_s):
    """I12: nothing comes before its time."""
    late = []
    for token, sent in run.sent.items():
        if "at" in sent and token in run.got and token in run.resp:
            late.append(run.got[token][0]["t"] - sent["t"] - sent["at"])
            if late[-1] < -0.001:
                verdict.breach("I12", f"{token} came {-late[-1]:.3f} s early")
    late.sort()
    verdict.figures["scheduled"] = len(late)
    if late:
        verdict.figures["lateness_s"] = {"p50": round(late[len(late) // 2], 3), "max": round(late[-1], 3)}
        if lateness_s is not None and late[len(late) // 2] > lateness_s:
            verdict.breach("I12", f"median lateness {late[len(late) // 2]:.3f} s")


def first_accepts(run, name):
    """Seconds from each event of that name to the first yes to what was sent after it."""
    moments = sorted(event["t"] for event in run.events if event["e"] == name)
    yes = sorted((run.sent[token]["t"], run.resp[token][0]) for token in run.accepted)
    found, at = [], 0
    for moment in moments:
        while at < len(yes) and yes[at][0] < moment:
            at += 1
        later = [answer for _, answer in yes[at : at + 200]]
        if later:
            found.append(round(min(later) - moment, 3))
    return found
