#include "natkit/bpf/flow_table.hpp"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <deque>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>

#include "flow_words.hpp"
#include "object.hpp"
#include "pins.hpp"
#include "self_test.hpp"
#include "tc_filter.hpp"

namespace natkit::bpf {

namespace {

using namespace std::chrono_literals;

/// How long a slot rests before another flow gets it: what a packet under way may still read stays as it was.
constexpr Duration rest_time = 1s;

/// The entries of an array of the kernel's.
template <class T>
class Mapped {
  public:
    Mapped() noexcept = default;
    Mapped(T* entries, std::size_t count) noexcept : entries_(entries), count_(count) {}
    Mapped(Mapped&& other) noexcept : entries_(std::exchange(other.entries_, nullptr)), count_(other.count_) {}
    Mapped& operator=(Mapped&& other) noexcept {
        std::swap(entries_, other.entries_);
        std::swap(count_, other.count_);
        return *this;
    }
    Mapped(const Mapped&) = delete;
    Mapped& operator=(const Mapped&) = delete;
    ~Mapped() {
        if (entries_ != nullptr) munmap(entries_, count_ * sizeof(T));
    }

    /// `name` is of a map whose values are T.
    [[nodiscard]] static Result<Mapped> map(const Object& object, const char* name) {
        const auto fd = object.map_fd(name);
        if (!fd) return std::unexpected(fd.error());
        bpf_map_info info{};
        std::uint32_t size = sizeof info;
        const std::string where = std::string("flow_table: ") + name;
        if (bpf_obj_get_info_by_fd(*fd, &info, &size) != 0) return fail_bpf(where, errno);
        void* memory = mmap(nullptr, info.max_entries * sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
        if (memory == MAP_FAILED) return fail_errno(where, errno);
        return Mapped(static_cast<T*>(memory), info.max_entries);
    }
    [[nodiscard]] T& operator[](std::size_t entry) const noexcept { return entries_[entry]; }
    [[nodiscard]] std::size_t size() const noexcept { return count_; }

  private:
    T* entries_ = nullptr;
    std::size_t count_ = 0;
};
static_assert(sizeof(flow) == 192 && offsetof(flow, state) == 128 && sizeof(flow_place) == 8);

/// The kernel writes it meanwhile.
template <class T>
T peek(T& value) noexcept {
    return std::atomic_ref<T>(value).load(std::memory_order_relaxed);
}

Instant instant(unsigned long long ns) noexcept {
    return Instant(std::chrono::nanoseconds(ns));
}
unsigned long long nanoseconds(Instant instant) noexcept {
    return static_cast<unsigned long long>(instant.time_since_epoch().count());
}

FlowCount count_of(flow_state& state) noexcept {
    // The kernel counts a packet before it takes its sequence: read the other way round, none seems lost that is under
    // way.
    const std::uint32_t start_sequence = std::atomic_ref(state.start_sequence).load(std::memory_order_acquire);
    const std::uint32_t sequence = std::atomic_ref(state.sequence).load(std::memory_order_acquire);
    return {.packets = peek(state.packets),
            .bytes = peek(state.bytes),
            .last = instant(peek(state.last)),
            .rtp_packets = peek(state.rtp_packets),
            .sequence = sequence,
            .start_sequence = start_sequence,
            .timestamp = peek(state.timestamp),
            .rtp_last = instant(peek(state.rtp_last)),
            .jitter = std::chrono::nanoseconds(peek(state.jitter))};
}

bool same(const flow_key& a, const flow_key& b) noexcept {
    return std::memcmp(&a, &b, sizeof a) == 0;
}

class PinnedTable final : public FlowTable {
  public:
    PinnedTable(OwnFd folder, Object object, const Settings& settings) noexcept
        : folder_(std::move(folder)), pins_(settings.folder), object_(std::move(object)), lease_(settings.lease) {}

    Result<void> take_up();

    Result<Slot> add(const FlowKey& key, const FlowRule& rule, const FlowStart& start) override;
    FlowCount remove(const FlowKey& key) override;
    FlowCount read(Slot slot) const noexcept override { return count_of(flows_[slot].state); }
    void renew(Slot slot, Instant now) noexcept override {
        std::atomic_ref(flows_[slot].expires).store(nanoseconds(now + lease_), std::memory_order_relaxed);
    }
    std::vector<Kept> flows() const override;
    Passed passed() const override;
    Result<void> attach(unsigned interface) override;
    Result<void> detach(unsigned interface) override;
    Result<void> unpin() override { return remove_pins(pins_); }
    Result<void> self_test(const FlowInterface& interface, Family family) override;

  private:
    FlowCount take_out(const flow_key& words);
    /// The place that leads to the flow with this key, or a free one that may; null: there is none.
    [[nodiscard]] flow_place* place_of(const flow_key& key, bool free) const noexcept;
    [[nodiscard]] Result<Slot> put(const FlowKey& key, const FlowRule& rule, const FlowStart& start, bool proof);
    [[nodiscard]] Result<void> test(const FlowInterface& interface, Family from, Family to);
    [[nodiscard]] Result<flow_proof> inject(const FlowInterface& interface, const TestFlow& flow);
    [[nodiscard]] flow_proof proof() const;

    OwnFd folder_;
    std::string pins_;
    Object object_;
    std::chrono::seconds lease_;
    int passed_ = -1;
    int proofs_ = -1;
    int injection_ = -1;
    int filter_ = -1;
    int inject_ = -1;
    Mapped<flow> flows_;
    Mapped<flow_place> places_;
    struct Free {
        Slot slot = 0;
        Instant since{};
    };
    std::mutex changing_;    ///< flows, places and free_
    std::deque<Free> free_;  ///< the one that has been free for longest first
};

Result<void> PinnedTable::take_up() {
    const std::array<std::pair<const char*, int*>, 3> maps{
        {{"passed", &passed_}, {"proofs", &proofs_}, {"injection", &injection_}}};
    for (const auto& [name, fd] : maps) {
        const auto found = object_.map_fd(name);
        if (!found) return std::unexpected(found.error());
        *fd = *found;
    }
    const std::array<std::pair<const char*, int*>, 2> programs{
        {{"natkit_flow", &filter_}, {"natkit_inject", &inject_}}};
    for (const auto& [name, fd] : programs) {
        const auto found = object_.program_fd(name);
        if (!found) return std::unexpected(found.error());
        *fd = *found;
    }
    auto flows = Mapped<flow>::map(object_, "flows");
    if (!flows) return std::unexpected(flows.error());
    flows_ = std::move(*flows);
    auto places = Mapped<flow_place>::map(object_, "places");
    if (!places) return std::unexpected(places.error());
    places_ = std::move(*places);

    std::vector<bool> used(flows_.size());
    for (const Kept& kept : this->flows()) used[kept.slot] = true;
    for (std::size_t slot = 0; slot < used.size(); ++slot) {
        if (!used[slot]) free_.push_back({.slot = static_cast<Slot>(slot)});
    }
    return {};
}

flow_place* PinnedTable::place_of(const flow_key& key, bool free) const noexcept {
    for (unsigned attempt = 0; attempt < FLOW_TRIES; ++attempt) {
        flow_place& place = places_[flow_place_of(key.destination, port_of(key), attempt)];
        const unsigned slot_and_one = place.slot_and_one;
        if (free ? slot_and_one == 0 : slot_and_one != 0 && same(flows_[slot_and_one - 1].key, key)) return &place;
    }
    return nullptr;
}

Result<FlowTable::Slot> PinnedTable::put(const FlowKey& key, const FlowRule& rule, const FlowStart& start, bool proof) {
    const flow_key words = to_words(key);
    const Instant now = std::chrono::steady_clock::now();
    const std::lock_guard lock(changing_);
    (void)take_out(words);
    flow_place* place = place_of(words, true);
    if (place == nullptr || free_.empty() || now - free_.front().since < rest_time) {
        return fail(Errc::exhausted, "the flow table is full");
    }
    const Slot slot = free_.front().slot;
    free_.pop_front();
    flow& added = flows_[slot];
    added = {.expires = nanoseconds(now + lease_),
             .key = words,
             .rule = to_words(rule, key),
             .reserved = {},
             .state = {.packets = 0,
                       .bytes = 0,
                       .last = 0,
                       .sequence = start.sequence,
                       .timestamp = start.timestamp,
                       .rtp_last = nanoseconds(start.rtp_last),
                       .rtp_packets = 0,
                       .jitter = static_cast<unsigned>(start.jitter.count()),
                       .start_sequence = start.sequence,
                       .sample_timestamp = 0,
                       .sample = 0}};
    added.rule.proof = proof ? 1 : 0;
    std::atomic_ref(place->slot_and_one).store(slot + 1, std::memory_order_release);
    return slot;
}

Result<FlowTable::Slot> PinnedTable::add(const FlowKey& key, const FlowRule& rule, const FlowStart& start) {
    return put(key, rule, start, false);
}

FlowCount PinnedTable::remove(const FlowKey& key) {
    const std::lock_guard lock(changing_);
    return take_out(to_words(key));
}

FlowCount PinnedTable::take_out(const flow_key& words) {
    flow_place* place = place_of(words, false);
    if (place == nullptr) return {};
    const Slot slot = place->slot_and_one - 1;
    std::atomic_ref(place->slot_and_one).store(0, std::memory_order_release);
    free_.push_back({.slot = slot, .since = std::chrono::steady_clock::now()});
    return count_of(flows_[slot].state);
}

std::vector<FlowTable::Kept> PinnedTable::flows() const {
    std::vector<Kept> found;
    for (std::size_t i = 0; i < places_.size(); ++i) {
        const unsigned slot_and_one = places_[i].slot_and_one;
        if (slot_and_one == 0 || slot_and_one > flows_.size()) continue;
        const flow& each = flows_[slot_and_one - 1];
        found.push_back({.key = from_words(each.key), .rule = from_words(each.rule), .slot = slot_and_one - 1});
    }
    return found;
}

FlowTable::Passed PinnedTable::passed() const {
    Passed sums;
    const std::array<std::uint64_t*, PASSED_REASONS> by_reason{&sums.expired,    &sums.last_hop,      &sums.other_kind,
                                                               &sums.other_ssrc, &sums.no_checksum,   &sums.too_large,
                                                               &sums.no_route,   &sums.no_forwarding, &sums.failed};
    std::vector<std::uint64_t> by_cpu(static_cast<std::size_t>(std::max(1L, sysconf(_SC_NPROCESSORS_CONF))) + 64);
    for (std::uint32_t reason = 0; reason < PASSED_REASONS; ++reason) {
        std::ranges::fill(by_cpu, 0);
        if (bpf_map_lookup_elem(passed_, &reason, by_cpu.data()) != 0) continue;
        for (const std::uint64_t count : by_cpu) *by_reason[reason] += count;
    }
    return sums;
}

Result<void> PinnedTable::attach(unsigned interface) {
    const auto owner = filter_at(interface);
    if (!owner) return std::unexpected(owner.error());
    if (*owner == FilterOwner::another) {
        return fail(Errc::refused, "interface " + std::to_string(interface) + " has another's filter in our place");
    }
    return attach_filter(interface, filter_);
}

Result<void> PinnedTable::detach(unsigned interface) {
    const auto owner = filter_at(interface);
    if (!owner || *owner != FilterOwner::ours) return {};
    return detach_filter(interface);
}

// --- the self-test -------------------------------------------------------------------------------------------------

flow_proof PinnedTable::proof() const {
    const std::uint32_t zero = 0;
    flow_proof shown{};
    (void)bpf_map_lookup_elem(proofs_, &zero, &shown);
    return shown;
}

Result<flow_proof> PinnedTable::inject(const FlowInterface& interface, const TestFlow& flow) {
    const std::uint32_t zero = 0;
    if (bpf_map_update_elem(injection_, &zero, &interface.index, BPF_ANY) != 0)
        return fail_bpf("flow_table: test", errno);
    const std::vector<std::uint8_t> frame = frame_before(flow, interface);
    bpf_test_run_opts options{};
    options.sz = sizeof options;
    options.data_in = frame.data();
    options.data_size_in = static_cast<std::uint32_t>(frame.size());
    const unsigned before = proof().serial;
    if (const int status = bpf_prog_test_run_opts(inject_, &options); status != 0) {
        return fail_bpf("flow_table: test", status);
    }
    if (options.retval != 0) return fail(Errc::system, "the test's packet could not be put before the filter");
    for (int tries = 0; tries < 200; ++tries) {
        if (const flow_proof shown = proof(); shown.serial != before) return shown;
        std::this_thread::sleep_for(500us);
    }
    return fail(Errc::timed_out, "the test's packet did not come to the filter");
}

Result<void> PinnedTable::test(const FlowInterface& interface, Family from, Family to) {
    const TestFlow flow = test_flow(interface.index, from, to);
    if (const auto slot = put(flow.key, flow.rule, {}, true); !slot) return std::unexpected(slot.error());
    const auto shown = inject(interface, flow);
    (void)remove(flow.key);
    if (!shown) return std::unexpected(shown.error());
    return judge(flow, *shown);
}

Result<void> PinnedTable::self_test(const FlowInterface& interface, Family family) {
    for (const Family from : {Family::ipv4, Family::ipv6}) {
        auto done = test(interface, from, family);
        if (!done) return done;
    }
    return {};
}

}  // namespace

Result<std::unique_ptr<FlowTable>> FlowTable::open(const Settings& settings) {
    auto folder = take_pins(settings.folder, FLOW_VERSION);
    if (!folder) return std::unexpected(folder.error());
    auto object = Object::open(flow_table_object, "flow_table");
    if (!object) return std::unexpected(object.error());
    const std::string pins = settings.folder + "/" FLOW_VERSION "/";
    const unsigned kept = pinned_capacity(pins + "flows");
    for (const char* map : {"flows", "places", "passed", "proofs"}) {
        if (const auto pinned = object->pin(map, pins + map); !pinned) return std::unexpected(pinned.error());
    }
    if (const auto sized = object->set_capacity("flows", kept != 0 ? kept : settings.capacity); !sized) {
        return std::unexpected(sized.error());
    }
    if (const auto loaded = object->load(); !loaded) return std::unexpected(loaded.error());
    auto table = std::make_unique<PinnedTable>(std::move(*folder), std::move(*object), settings);
    if (const auto taken = table->take_up(); !taken) return std::unexpected(taken.error());
    return table;
}

Result<void> let_filters_route(Family family) {
    const std::string path = std::string("/proc/sys/net/") + to_string(family) + "/conf/lo/forwarding";
    char now = '0';
    const OwnFd there(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (there.get() < 0 || ::read(there.get(), &now, 1) != 1) return fail_errno(path, errno);
    if (now == '1') return {};
    const OwnFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (file.get() < 0 || ::write(file.get(), "1", 1) != 1) return fail_errno(path, errno);
    return {};
}

Result<unsigned> remove_flow_table(const std::string& folder, const std::vector<unsigned>& interfaces) {
    if (const auto free = pins_are_free(folder); !free) return std::unexpected(free.error());
    unsigned removed = 0;
    for (const unsigned interface : interfaces) {
        const auto owner = filter_at(interface);
        if (!owner || *owner != FilterOwner::ours) continue;
        if (const auto gone = detach_filter(interface); !gone) return std::unexpected(gone.error());
        ++removed;
    }
    if (const auto gone = remove_pins(folder); !gone) return std::unexpected(gone.error());
    return removed;
}

}  // namespace natkit::bpf
