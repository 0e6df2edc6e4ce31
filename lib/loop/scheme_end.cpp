#include "natkit/loop/scheme.hpp"

#include <utility>

/// How an exchange ends: it counts, or all is as before it.
namespace natkit::loop {

void Scheme::accept(PassId id) {
    Pass& pass = passes_.at(id);
    note_changed(pass);
    finish(pass);
}

void Scheme::fail(PassId id) {
    Pass& pass = passes_.at(id);
    if (!pass.before) return;
    note_changed(pass);
    restore(pass);
    note_changed(pass);
    finish(pass);
}

void Scheme::restore(Pass& pass) {
    for (const End end : {End::caller, End::callee}) {
        Side& side = pass.sides[index(end)];
        const Side& before = pass.before->sides[index(end)];
        set_came(side, before.came);
        side.said = before.said;
        set_shown(pass, end, before.shown);
        if (before.own != 0) {
            parties_.at(before.own).thing = pass.before->parties[index(end)];
        } else {
            if (side.own != 0) parties_.at(side.own).thing.told = {};  // as in close()
            drop_party(std::exchange(side.own, 0));
        }
        set_offered(side.leg, 0);
        if (before.leg != 0) {
            set_stands_for(before.leg, pass.before->legs[index(end)].stands_for);
        } else if (side.leg != 0) {
            close_exchange(side);
            changed_.push_back(side.leg);
            drop_leg(std::exchange(side.leg, 0));
        }
    }
}

/// Closes the exchange, whichever way it went.
void Scheme::finish(Pass& pass) {
    if (!pass.before) return;
    pass.before.reset();
    for (Side& side : pass.sides) {
        close_exchange(side);
        set_offered(side.leg, 0);
        if (side.own != 0) parties_.at(side.own).thing.pending = false;
    }
}

void Scheme::close_exchange(Side& side) {
    if (std::exchange(side.in_exchange, false)) --legs_.at(side.leg).exchanges;
}

}  // namespace natkit::loop
