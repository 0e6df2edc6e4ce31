"""Whether times of pings are in the rhythm that natpinger(1) promises. A machine that is busy or stands still delays a ping, and then the
next one comes early: what must hold whatever the machine does is told apart from what holds where it has time."""
import statistics

import lab

PERIOD, JITTER = 0.94, 0.04  # of the interval: natkit/ping/schedule.hpp
BORNE = 5.0  # seconds that a ping may be late: a NAT that forgets after 30 s bears so much at the default interval of 25 s


def gaps(times):
    return [b - a for a, b in zip(times, times[1:])]


def rounds(times, interval):
    """For each time the number of its moment. The moments lie a period apart, from a beginning that is not known here; a ping comes up to
    the jitter later, never earlier, and later still where the machine was busy: so the beginning is where most fit."""
    period, fit = PERIOD * interval, 2 * JITTER * interval
    beginnings = [time - JITTER * interval for time in times]
    best = max(beginnings, key=lambda begin: sum((time - begin) % period <= fit for time in times))
    return [int((time - best) // period) for time in times]


def require(times, interval, what):
    """Nobody is pinged twice for a moment, no ping is later than a NAT bears. What the gaps were, in words."""
    found, numbers = gaps(times), rounds(times, interval)
    lab.require(len(set(numbers)) == len(numbers), f"{what}: pinged twice: {found}, moments {numbers}")
    lab.require(max(found) <= interval + BORNE, f"{what}: left out: {found}")
    return f"gaps of {min(found):.3f} to {max(found):.3f} s, in the middle {statistics.median(found):.3f} s"


def require_steady(times, interval, what):
    """As above; and most come when they should: jitter only shortens the interval."""
    middle = statistics.median(gaps(times))
    lab.require((PERIOD - JITTER - 0.01) * interval <= middle <= interval, f"{what}: times between pings: {gaps(times)}")
    return require(times, interval, what)
