// Any sequence of offers, answers, failures and hang-ups in passes that name each other's slots: joins are mutual, they
// face the parties that were told them, and nothing is left when all have ended.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "natkit/loop/scheme.hpp"

using namespace natkit;
using namespace natkit::loop;

namespace {

class Bytes {
  public:
    Bytes(const std::uint8_t* data, std::size_t size) : data_(data), left_(size) {}
    bool empty() const { return left_ == 0; }
    std::uint8_t next() { return left_ == 0 ? 0 : (--left_, *data_++); }

  private:
    const std::uint8_t* data_;
    std::size_t left_;
};

nat::Whereabouts neighbour(std::uint8_t number) {
    const bool v6 = (number & 4U) != 0;
    const nat::Place place = number % 3 == 0   ? nat::Place::lan
                             : number % 3 == 1 ? nat::Place::wan
                                               : nat::Place::far_end;
    const IpAddress address = *IpAddress::parse(v6 ? "2001:db8::7" : "198.51.100.7");
    return {.place = place, .visible = address, .family = address.family()};
}

bool needs_relay(const nat::Whereabouts& a, const nat::Whereabouts& b) {
    return nat::decide(a, b, {}, {}).relay;
}

void check(const Scheme& scheme, const std::vector<SlotId>& slots) {
    for (const SlotId slot : slots) {
        const SlotId mate = scheme.mate(slot);
        if (mate == 0) continue;
        if (mate == slot || scheme.mate(mate) != slot) std::abort();
        const Speaker* remote = scheme.speaker(scheme.remote(slot));
        if (remote == nullptr || remote->told.slot != slot) std::abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Bytes bytes(data, size);
    Scheme scheme(needs_relay);
    std::vector<PassId> passes;
    std::vector<SlotId> slots;
    while (!bytes.empty()) {
        const std::uint8_t operation = bytes.next();
        const std::uint8_t detail = bytes.next();
        if (passes.empty() || (operation % 8 == 0 && passes.size() < 16)) {
            passes.push_back(scheme.open(neighbour(detail), neighbour(detail >> 4)));
            continue;
        }
        const std::size_t which = detail % passes.size();
        const PassId pass = passes[which];
        const std::uint8_t what = bytes.next();
        Incoming incoming{.slot = 0, .endpoint = {}, .rtcp = {}, .where = neighbour(what)};
        if (what % 4 == 0 && !slots.empty()) {
            incoming.slot = slots[what / 4 % slots.size()];
        } else if (what % 4 != 1) {
            incoming.endpoint = Endpoint{.address = incoming.where.visible, .port = what};
        }
        switch (operation % 8) {
            case 1: scheme.accept(pass); break;
            case 2: scheme.fail(pass); break;
            case 3:
                scheme.close(pass);
                passes.erase(passes.begin() + static_cast<std::ptrdiff_t>(which));
                break;
            case 4:
                if (passes.size() < 16) passes.push_back(scheme.fork(pass));
                break;
            case 5: (void)scheme.answer(pass, incoming); break;
            default: (void)scheme.offer(pass, operation % 2 == 0 ? End::caller : End::callee, incoming);
        }
        for (const SlotId slot : scheme.take_changed()) {
            if (std::ranges::find(slots, slot) == slots.end()) slots.push_back(slot);
        }
        std::erase_if(slots, [&](SlotId slot) { return scheme.slot(slot) == nullptr; });
        check(scheme, slots);
    }
    for (const PassId pass : passes) scheme.close(pass);
    if (scheme.passes() + scheme.slots() + scheme.speakers() != 0) std::abort();
    return 0;
}
