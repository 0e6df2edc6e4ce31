#include "natkit/loop/scheme.hpp"

#include <utility>

/// How an exchange ends: it counts, or all is as before it.
namespace natkit::loop {

void Scheme::accept(PassId id) {
    Pass& pass = passes_.at(id);
    note_changed(pass);
    close_exchanges(pass);
}

void Scheme::fail(PassId id) {
    Pass& pass = passes_.at(id);
    if (!pass.before) return;
    note_changed(pass);
    restore(pass);
    note_changed(pass);
    close_exchanges(pass);
}

void Scheme::restore(Pass& pass) {
    for (const End end : {End::caller, End::callee}) {
        PassEnd& pass_end = pass.ends[index(end)];
        const PassEnd& before = pass.before->ends[index(end)];
        set_named(pass_end, before.named);
        pass_end.setup_said = before.setup_said;
        set_shown(pass, end, before.shown);
        if (before.speaker != 0) {
            speakers_.at(before.speaker).value = pass.before->speakers[index(end)];
        } else {
            if (pass_end.speaker != 0) speakers_.at(pass_end.speaker).value.told = {};  // as in close()
            drop_speaker(std::exchange(pass_end.speaker, 0));
        }
        set_offered(pass_end.slot, 0);
        if (before.slot != 0) {
            set_stands_for(before.slot, pass.before->slots[index(end)].stands_for);
        } else if (pass_end.slot != 0) {
            release_slot(pass_end);
            changed_.push_back(pass_end.slot);
            drop_slot(std::exchange(pass_end.slot, 0));
        }
    }
}

/// Closes the exchange, whichever way it went.
void Scheme::close_exchanges(Pass& pass) {
    if (!pass.before) return;
    pass.before.reset();
    for (PassEnd& pass_end : pass.ends) {
        release_slot(pass_end);
        set_offered(pass_end.slot, 0);
        if (pass_end.speaker != 0) speakers_.at(pass_end.speaker).value.pending = false;
    }
}

void Scheme::release_slot(PassEnd& pass_end) {
    if (std::exchange(pass_end.in_exchange, false)) --slots_.at(pass_end.slot).exchanges;
}

}  // namespace natkit::loop
