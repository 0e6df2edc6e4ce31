#include "natkit/loop/scheme.hpp"

#include <doctest/doctest.h>

#include <array>
#include <map>
#include <random>
#include <string>
#include <utility>

#include "natkit/loop/roles.hpp"

using namespace natkit;
using namespace natkit::loop;
using sdp::Setup;

namespace {

// --- a world of five places
// --------------------------------------------------------------------------------------------

constexpr std::size_t places = 5;
constexpr std::array<const char*, places> place_names = {"LAN", "WAN", "NAT-A", "NAT-B", "WAN6"};

nat::Whereabouts at_place(std::size_t place) {
    constexpr std::array<const char*, places> visible = {"192.168.10.20", "203.0.113.50", "198.51.100.1",
                                                         "198.51.100.2", "2001:db8::50"};
    constexpr std::array<nat::Place, places> kind = {nat::Place::lan, nat::Place::wan, nat::Place::far_end,
                                                     nat::Place::far_end, nat::Place::wan};
    const IpAddress address = *IpAddress::parse(visible[place]);
    return {.place = kind[place], .visible = address, .family = address.family()};
}

bool needs_relay(const nat::Whereabouts& a, const nat::Whereabouts& b) {
    return nat::decide(a, b, {}, {}).relay;
}

/// A call through the edge as often as there are passes; each hop between two of them is a proxy somewhere.
class Path {
  public:
    explicit Path(std::vector<std::size_t> hops) : hops_(std::move(hops)) {
        for (std::size_t i = 0; i + 1 < hops_.size(); ++i)
            passes_.push_back(scheme_.open(at_place(hops_[i]), at_place(hops_[i + 1])));
        move(End::caller);
        move(End::callee);
    }

    /// The phone at that end takes another port for its next description.
    void move(End end) { ports_[end_number(end)] = next_port_ += 2; }

    void exchange(End from) {
        history_ += from == End::caller ? " offer" : " counter-offer";
        offer(from);
        answer(from, true);
        told_before_ = told_;
        check();
    }

    /// An exchange of a TCP stream: the one that is asked answers what it may, `chosen` where it may choose. Each end
    /// gets an answer to its own words, and the roles fit: to each other, or to the relay.
    void connect(End from, Setup offered, Setup chosen) {
        history_ += std::string(" ") + sdp::to_string(offered);
        words_[end_number(from)] = offered;
        offer(from);
        const Setup asked = told_[end_number(other(from))].setup.value();
        const Setup answered = asked == Setup::actpass ? chosen : left_by(asked);
        words_[end_number(other(from))] = answered;
        answer(from, true);
        told_before_ = told_;
        check();
        const Setup heard = told_[end_number(from)].setup.value();
        expect(
            offered == Setup::actpass ? heard == Setup::active || heard == Setup::passive : heard == left_by(offered),
            "not an answer to what was offered");
        std::array<Setup, 2> roles{};
        roles[end_number(from)] = left_by(heard);
        roles[end_number(other(from))] = answered;
        if (told_[0].slot == 0) {
            expect(roles[0] == left_by(roles[1]), "the roles should fit to each other");
            return;
        }
        for (const End end : {End::caller, End::callee}) {
            const Speaker* speaker = scheme_.speaker(scheme_.remote(told_[end_number(end)].slot));
            expect(speaker != nullptr && speaker->setup == roles[end_number(end)],
                   "the relay should know what each end does");
            expect(offered != Setup::actpass || at_place(home(end)).place != nat::Place::far_end ||
                       roles[end_number(end)] == Setup::active,
                   "an end behind a NAT should connect");
        }
    }

    /// The same with c=0.0.0.0 from the one that offers: nothing of the media path changes.
    void hold(End from) {
        history_ += from == End::caller ? " hold" : " counter-hold";
        offer(from, true);
        answer(from);
        accept();
        told_[end_number(other(from))] = told_before_[end_number(other(from))];
        told_before_ = told_;
        check();
    }

    /// An offer that somebody refuses: each pass hears it, from the far end back.
    void refused(End from, bool answered_early) {
        history_ += answered_early ? " refused-late" : " refused";
        ports_before_ = ports_;
        move(from);
        offer(from);
        if (answered_early) answer(from);
        for (std::size_t i = passes_.size(); i-- > 0;) {
            scheme_.fail(passes_[from == End::caller ? i : passes_.size() - 1 - i]);
            note_changes();
        }
        told_ = told_before_;
        ports_ = ports_before_;
        check();
    }

    /// An offer that the hop after so many passes refuses: those beyond never hear of it. Until then the call goes on.
    void refused_after(End from, std::size_t count) {
        history_ += " refused-half-way";
        ports_before_ = ports_;
        move(from);
        offer(from, false, count);
        check_committed();
        for (std::size_t i = count; i-- > 0;) {
            scheme_.fail(passes_[from == End::caller ? i : passes_.size() - 1 - i]);
            note_changes();
        }
        told_ = told_before_;
        ports_ = ports_before_;
        check();
    }

    /// The first offer forks beyond the last pass: all passes see two To-tags, and one of them wins.
    void fork(bool second_wins, bool early_again) {
        history_ += second_wins ? " fork-second" : " fork-first";
        offer(End::caller);
        const Incoming offered = told_[1];
        answer(End::caller);
        const std::array<Incoming, 2> first_told = told_;
        const std::array<std::uint16_t, 2> first_ports = ports_;
        std::vector<PassId> forks;
        for (const PassId pass : passes_) {
            forks.push_back(scheme_.fork(pass));
            (void)scheme_.prepare(forks.back());
        }
        move(End::callee);
        std::swap(passes_, forks);
        told_[1] = offered;
        answer(End::caller);
        check_pair();
        if (!second_wins) {
            std::swap(passes_, forks);
            told_ = first_told;
            ports_ = first_ports;
            if (early_again) answer(End::caller);
        }
        for (std::size_t i = passes_.size(); i-- > 0;) scheme_.prefer(passes_[i]);  // as a 2xx comes back
        accept();
        note_changes();
        check_pair();
        for (const PassId pass : forks) scheme_.close(pass);
        note_changes();
        told_before_ = told_;
        check();
    }

    void offer(End from, bool hold = false, std::size_t count = 100) {
        Incoming incoming = hold ? Incoming{} : spoken(from);
        for (std::size_t i = 0; i < std::min(count, passes_.size()); ++i) {
            const std::size_t pass = from == End::caller ? i : passes_.size() - 1 - i;
            const std::size_t to = from == End::caller ? pass + 1 : pass;
            incoming = pass_on(scheme_.offer(passes_[pass], from, incoming), to);
            (void)scheme_.prepare(passes_[pass]);
            note_changes();
            if (hold) incoming = {};
        }
        told_[end_number(other(from))] = incoming;
    }

    /// `accepts`: as a 2xx does, each pass as soon as it has the answer.
    void answer(End from, bool accepts = false) {
        Incoming incoming = spoken(other(from));
        for (std::size_t i = passes_.size(); i-- > 0;) {
            const std::size_t pass = from == End::caller ? i : passes_.size() - 1 - i;
            const std::size_t to = from == End::caller ? pass : pass + 1;
            const std::size_t slots = scheme_.slots();
            incoming = pass_on(scheme_.answer(passes_[pass], incoming), to);
            note_changes();
            expect(scheme_.slots() == slots, "an answer should find its slot prepared");
            if (accepts) scheme_.accept(passes_[pass]);
            note_changes();
        }
        told_[end_number(from)] = incoming;
    }

    void accept() {
        for (const PassId pass : passes_) {
            scheme_.accept(pass);
            note_changes();
        }
    }

    /// Who carries the scheme out looks at the changed slots alone.
    void note_changes() {
        for (const SlotId slot : scheme_.take_changed()) mates_[slot] = {scheme_.mate(slot), scheme_.needed(slot)};
    }

    /// While an offer is open, the slots of the exchange that counts stay joined, and nobody is sent anything
    /// elsewhere.
    void check_committed() const {
        const SlotId a = told_before_[0].slot, b = told_before_[1].slot;
        if (a == 0 || b == 0) return;
        expect(scheme_.mate(a) == b && scheme_.mate(b) == a, "an open offer should not part the join that counts");
        for (const auto& [slot, end] : {std::pair(a, End::caller), std::pair(b, End::callee)}) {
            const Speaker* speaker = scheme_.speaker(scheme_.remote(slot));
            const Endpoint before{.address = at_place(home(end)).visible, .port = ports_before_[end_number(end)]};
            expect(speaker != nullptr && (speaker->pending || speaker->endpoint == before),
                   "an open offer should not turn the media that count");
        }
    }

    /// Both ends are on the two sides of one join, or on none, as the decision between them says.
    void check() const {
        check_pair();
        if (needs_relay(at_place(hops_.front()), at_place(hops_.back())))
            expect(open_slots() == 2, "they and no others should be open");
        else
            expect(open_slots() == 0, "no slot should be open");
    }

    void check_pair() const {
        const Incoming& a = told_[0];
        const Incoming& b = told_[1];
        for (const PassId pass : passes_) {
            for (const End end : {End::caller, End::callee}) {
                const SlotId slot = scheme_.slot_towards(pass, end);
                if (slot == 0) continue;
                const auto noted = mates_.find(slot);
                const std::pair now(scheme_.mate(slot), scheme_.needed(slot));
                expect(noted != mates_.end() && noted->second == now, "every slot that changes should be told of");
            }
        }
        if (!needs_relay(at_place(hops_.front()), at_place(hops_.back()))) {
            expect(a.slot == 0 && a.endpoint == endpoint(End::callee), "the caller should see the callee itself");
            expect(b.slot == 0 && b.endpoint == endpoint(End::caller), "the callee should see the caller itself");
            return;
        }
        expect(a.slot != 0 && b.slot != 0, "both should be shown a slot");
        expect(a.slot != b.slot && scheme_.mate(a.slot) == b.slot && scheme_.mate(b.slot) == a.slot,
               "the slots should be joined");
        const Speaker* caller = scheme_.speaker(scheme_.remote(a.slot));
        const Speaker* callee = scheme_.speaker(scheme_.remote(b.slot));
        expect(caller != nullptr && caller->endpoint == endpoint(End::caller),
               "the caller's slot should face the caller");
        expect(callee != nullptr && callee->endpoint == endpoint(End::callee),
               "the callee's slot should face the callee");
    }

    std::size_t open_slots() const {
        std::size_t count = 0;
        for (const PassId pass : passes_) {
            for (const End end : {End::caller, End::callee})
                count += scheme_.needed(scheme_.slot_towards(pass, end)) ? 1 : 0;
        }
        return count;
    }

    void hang_up(bool from_callee) {
        for (std::size_t i = 0; i < passes_.size(); ++i)
            scheme_.close(passes_[from_callee ? passes_.size() - 1 - i : i]);
        expect(scheme_.passes() == 0 && scheme_.slots() == 0 && scheme_.speakers() == 0, "nothing should be left");
    }

    Scheme& scheme() { return scheme_; }
    const std::vector<PassId>& passes() const { return passes_; }
    const Incoming& told(End end) const { return told_[end_number(end)]; }

  private:
    static std::size_t end_number(End end) { return static_cast<std::size_t>(end); }
    std::size_t home(End end) const { return end == End::caller ? hops_.front() : hops_.back(); }
    Endpoint endpoint(End end) const {
        return {.address = at_place(home(end)).visible, .port = ports_[end_number(end)]};
    }
    Incoming spoken(End end) const {
        return {.slot = 0,
                .endpoint = endpoint(end),
                .rtcp = {},
                .where = at_place(home(end)),
                .setup = words_[end_number(end)]};
    }

    /// What reaches the neighbour: it must be able to use it, and nobody's address may leave its place.
    Incoming pass_on(const Shown& shown, std::size_t hop) const {
        const nat::Whereabouts neighbour = at_place(hops_[hop]);
        if (shown.slot != 0) {
            const Slot* slot = scheme_.slot(shown.slot);
            expect(slot != nullptr && !needs_relay(slot->towards, neighbour), "a slot was shown on the wrong side");
            expect(scheme_.needed(shown.slot), "a slot was shown that is not open");
            return {.slot = shown.slot, .endpoint = {}, .rtcp = {}, .where = {}, .setup = shown.setup};
        }
        expect(shown.raw.has_value(), "something must be shown");
        for (const End end : {End::caller, End::callee}) {
            if (shown.raw == endpoint(end))
                expect(!needs_relay(at_place(home(end)), neighbour), "an address left its place");
        }
        return {.slot = 0, .endpoint = shown.raw, .rtcp = {}, .where = neighbour, .setup = shown.setup};
    }

    void expect(bool good, const char* what) const {
        if (good) return;
        std::string text = what + (" after " + history_ + ":");
        for (const std::size_t hop : hops_) text += std::string(" ") + place_names[hop];
        FAIL(text);
    }

    std::vector<std::size_t> hops_;
    Scheme scheme_{needs_relay};
    std::vector<PassId> passes_;
    std::array<Incoming, 2> told_{}, told_before_{};
    std::array<std::optional<Setup>, 2> words_;  ///< what each end last said it does, of a TCP stream
    std::array<std::uint16_t, 2> ports_{}, ports_before_{};
    std::uint16_t next_port_ = 4000;
    std::map<SlotId, std::pair<SlotId, bool>>
        mates_;  ///< with whom it was joined and whether needed, when it was told of
    std::string history_;
};

/// All combinations of places for a path of so many passes.
template <typename Function>
void for_each_path(std::size_t passes, Function&& function) {
    std::vector<std::size_t> hops(passes + 1, 0);
    while (true) {
        function(hops);
        std::size_t i = 0;
        while (i < hops.size() && ++hops[i] == places) hops[i++] = 0;
        if (i == hops.size()) return;
    }
}

/// One of the things that happen in a call.
void change(Path& path, End from, std::size_t passes, std::mt19937& random) {
    switch (random() % 6) {
        case 0: path.hold(from); break;
        case 1:
            path.move(from);
            path.exchange(from);
            break;
        case 2: path.refused(from, false); break;
        case 3: path.refused(from, true); break;
        case 4: path.refused_after(from, 1 + random() % passes); break;
        default: path.exchange(from);
    }
}

}  // namespace

TEST_CASE("loop::Scheme: every path of one to four passes, five offers from either end") {
    std::size_t calls = 0;
    for (std::size_t passes = 1; passes <= 4; ++passes) {
        for_each_path(passes, [&](const std::vector<std::size_t>& hops) {
            for (unsigned directions = 0; directions < 32; directions += passes < 4 ? 1 : 6) {
                Path path(hops);
                for (unsigned round = 0; round < 5; ++round)
                    path.exchange((directions >> round & 1U) != 0 ? End::callee : End::caller);
                path.hang_up(directions % 2 != 0);
                ++calls;
            }
        });
    }
    CHECK(calls == 32 * (25 + 125 + 625) + 6 * 3125);
}

TEST_CASE("loop::Scheme: hold, port changes and refused offers in between") {
    std::mt19937 random(20261);
    for (std::size_t passes = 1; passes <= 4; ++passes) {
        for_each_path(passes, [&](const std::vector<std::size_t>& hops) {
            Path path(hops);
            path.exchange(End::caller);
            for (unsigned step = 0; step < 8; ++step) {
                const End from = random() % 2 == 0 ? End::caller : End::callee;
                change(path, from, passes, random);
            }
            path.exchange(End::callee);
            path.hang_up(random() % 2 == 0);
        });
    }
}

TEST_CASE("loop::Scheme: who connects to whom in TCP streams, on every path, whoever offers what") {
    constexpr std::array<Setup, 3> words = {Setup::actpass, Setup::active, Setup::passive};
    for (std::size_t passes = 1; passes <= 3; ++passes) {
        for_each_path(passes, [&](const std::vector<std::size_t>& hops) {
            for (const Setup first : words) {
                for (const Setup second : words) {
                    Path path(hops);
                    path.connect(End::caller, first, Setup::active);
                    path.connect(End::callee, second, Setup::passive);
                    path.refused(End::caller, true);
                    path.connect(End::caller, second, Setup::passive);
                    path.hang_up(false);
                }
            }
        });
    }
}

TEST_CASE("loop::Scheme: forks beyond every path, then holds, port changes and refused offers") {
    std::mt19937 random(6337);
    for (std::size_t passes = 1; passes <= 3; ++passes) {
        for_each_path(passes, [&](const std::vector<std::size_t>& hops) {
            for (const bool second_wins : {false, true}) {
                Path path(hops);
                path.fork(second_wins, random() % 2 == 0);
                for (unsigned step = 0; step < 6; ++step)
                    change(path, random() % 2 == 0 ? End::caller : End::callee, passes, random);
                path.exchange(End::caller);
                path.hang_up(random() % 2 == 0);
            }
        });
    }
}

TEST_CASE("loop::Scheme: what the ends see stays the same, whoever offers, while they stay where they are") {
    for (std::size_t passes = 1; passes <= 3; ++passes) {
        for_each_path(passes, [](const std::vector<std::size_t>& hops) {
            Path path(hops);
            std::string where;
            for (const std::size_t hop : hops) where += std::string(" ") + place_names[hop];
            CAPTURE(where);
            path.exchange(End::caller);
            const std::array<SlotId, 2> first = {path.told(End::caller).slot, path.told(End::callee).slot};
            for (const End from : {End::callee, End::caller, End::callee}) {
                path.exchange(from);
                CHECK(path.told(End::caller).slot == first[0]);
                CHECK(path.told(End::callee).slot == first[1]);
            }
        });
    }
}

TEST_CASE("loop::Scheme: an offer that fails first leaves nothing") {
    for_each_path(3, [&](const std::vector<std::size_t>& hops) {
        Path path(hops);
        path.offer(End::caller);
        path.answer(End::caller);
        path.hang_up(false);
    });
}

namespace {

Incoming raw(std::size_t place, std::uint16_t port) {
    const nat::Whereabouts where = at_place(place);
    return {.slot = 0, .endpoint = Endpoint{.address = where.visible, .port = port}, .rtcp = {}, .where = where};
}

Incoming onward(const Shown& shown, std::size_t hop) {
    return {.slot = shown.slot, .endpoint = shown.raw, .rtcp = {}, .where = at_place(hop)};
}

/// Whether two ends are on one join, facing them both, or see each other raw.
void check_pair(const Scheme& scheme, const Shown& told_a, const Shown& told_b, const Incoming& a, const Incoming& b) {
    if (!needs_relay(a.where, b.where)) {
        CHECK(told_a.raw == b.endpoint);
        CHECK(told_b.raw == a.endpoint);
        return;
    }
    REQUIRE(scheme.mate(told_a.slot) == told_b.slot);
    REQUIRE(scheme.mate(told_b.slot) == told_a.slot);
    CHECK(scheme.speaker(scheme.remote(told_a.slot))->endpoint == a.endpoint);
    CHECK(scheme.speaker(scheme.remote(told_b.slot))->endpoint == b.endpoint);
}

}  // namespace

TEST_CASE("loop::Scheme: an answer that names the last slot which stands for somebody") {
    Scheme scheme{needs_relay};
    const PassId pass = scheme.open(at_place(2), at_place(0));
    (void)scheme.offer(pass, End::callee, {});
    (void)scheme.answer(pass, {});
    const PassId fork = scheme.fork(pass);  // shares the slot towards the callee, and keeps it
    const auto naming = [](SlotId slot) { return Incoming{.slot = slot, .endpoint = {}, .rtcp = {}, .where = {}}; };
    const SlotId shared = scheme.slot_towards(fork, End::callee);
    (void)scheme.answer(pass, naming(scheme.slot_towards(pass, End::caller)));
    (void)scheme.offer(pass, End::caller, {});
    (void)scheme.answer(pass, naming(shared));
    scheme.close(pass);
    scheme.close(fork);
    CHECK(scheme.passes() + scheme.slots() + scheme.speakers() == 0);
}

TEST_CASE("loop::Scheme: a fork beyond the edge: each To-tag its own join, the latest answer wins, then the 2xx") {
    for_each_path(1, [](const std::vector<std::size_t>& hops) {
        Scheme scheme(needs_relay);
        const Incoming a = raw(hops[0], 4000), b1 = raw(hops[1], 5000), b2 = raw(hops[1], 6000);
        const PassId one = scheme.open(at_place(hops[0]), at_place(hops[1]));
        const Shown told_b = scheme.offer(one, End::caller, a);
        const Shown first = scheme.answer(one, b1);
        check_pair(scheme, first, told_b, a, b1);
        const PassId two = scheme.fork(one);
        const Shown second = scheme.answer(two, b2);
        check_pair(scheme, second, told_b, a, b2);
        if (second.slot != 0) CHECK(second.slot != first.slot);
        CHECK(scheme.answer(one, b1) == first);  // the 200
        check_pair(scheme, first, told_b, a, b1);
        scheme.accept(one);
        scheme.close(two);
        check_pair(scheme, first, told_b, a, b1);
        CHECK(scheme.slots() == (needs_relay(a.where, b1.where) ? 2 : 0));
        scheme.close(one);
        CHECK(scheme.slots() + scheme.speakers() == 0);
    });
}

TEST_CASE("loop::Scheme: a call that comes back and forks at the edge: each branch ends on one join with the caller") {
    for_each_path(2, [](const std::vector<std::size_t>& hops) {
        Scheme scheme(needs_relay);
        const Incoming a = raw(hops[0], 4000), b1 = raw(hops[2], 5000), b2 = raw(hops[2], 6000);
        const PassId out = scheme.open(at_place(hops[0]), at_place(hops[1]));
        const Incoming back = onward(scheme.offer(out, End::caller, a), hops[1]);
        const PassId in1 = scheme.open(at_place(hops[1]), at_place(hops[2]));
        const PassId in2 = scheme.open(at_place(hops[1]), at_place(hops[2]));
        const Shown told_b1 = scheme.offer(in1, End::caller, back);
        const Shown told_b2 = scheme.offer(in2, End::caller, back);
        const Shown told_a1 = scheme.answer(out, onward(scheme.answer(in1, b1), hops[1]));
        check_pair(scheme, told_a1, told_b1, a, b1);
        const PassId out2 = scheme.fork(out);
        const Shown told_a2 = scheme.answer(out2, onward(scheme.answer(in2, b2), hops[1]));
        check_pair(scheme, told_a2, told_b2, a, b2);
        check_pair(scheme, told_a1, told_b1, a, b1);
        for (const PassId pass : {in2, out2}) scheme.accept(pass);
        for (const PassId pass : {in1, out}) scheme.close(pass);
        check_pair(scheme, told_a2, told_b2, a, b2);
        for (const PassId pass : {in2, out2}) scheme.close(pass);
        CHECK(scheme.slots() + scheme.speakers() + scheme.passes() == 0);
    });
}

TEST_CASE("loop: a neighbour that anchors one direction: what it is sent comes to the end, wherever that is") {
    const std::size_t wan = 1;
    for (std::size_t a = 0; a < places; ++a) {
        for (std::size_t b = 0; b < places; ++b) {
            CAPTURE(place_names[a]);
            CAPTURE(place_names[b]);
            Scheme scheme(needs_relay);
            const auto says = [](std::size_t place, std::uint16_t port) {
                const nat::Whereabouts where = at_place(place);
                return Incoming{.slot = 0, .endpoint = Endpoint{where.visible, port}, .rtcp = {}, .where = where};
            };
            const PassId out = scheme.open(at_place(a), at_place(wan));
            const PassId in = scheme.open(at_place(wan), at_place(b));
            const auto call = [&](bool anchors) {
                const Shown first = scheme.offer(out, End::caller, says(a, 4000));
                Incoming handed = says(wan, 4000);
                handed.slot = first.slot;
                if (first.raw) handed.endpoint = first.raw;
                (void)scheme.offer(in, End::caller, handed);
                (void)scheme.prepare(in);
                Incoming answered = says(wan, 5000);
                const Shown back = scheme.answer(in, says(b, 5000));
                answered.slot = back.slot;
                if (back.raw) answered.endpoint = back.raw;
                scheme.accept(in);
                (void)scheme.answer(out, anchors ? says(wan, 7000) : answered);
                const auto found = scheme.one_sided(out);
                scheme.accept(out);
                CHECK(found.has_value() == (anchors && first.slot != 0));
                if (!found) return;
                CHECK(found->in_answer);
                CHECK(found->handed_on == first.slot);
                CHECK(found->beyond == in);
                CHECK(scheme.bridge(*found) != 0);
                CHECK(scheme.mate(scheme.slot_towards(out, End::caller)) == first.slot);
                const SlotId near = scheme.slot_towards(in, End::caller);
                CHECK(near == back.slot);
                CHECK(scheme.mate(near) == scheme.slot_towards(in, End::callee));
                CHECK(scheme.speaker(scheme.slot(near)->stands_for)->endpoint == says(b, 5000).endpoint);
                CHECK(scheme.speaker(scheme.remote(near))->where.place == nat::Place::far_end);  // it latches
            };
            for (const bool anchors : {true, true, false, true}) call(anchors);
            scheme.close(out);
            scheme.close(in);
            CHECK(scheme.slots() == 0);
            CHECK(scheme.speakers() == 0);
        }
    }
}
