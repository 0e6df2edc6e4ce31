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
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>

#include "flow_slots.hpp"
#include "flow_words.hpp"
#include "object.hpp"
#include "pins.hpp"
#include "self_test.hpp"
#include "tc_filter.hpp"

namespace natkit::bpf {

namespace {

using namespace std::chrono_literals;

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
static_assert(sizeof(flow) == 128 && offsetof(flow, state) == 64 && sizeof(flow_rest) == 64 &&
              sizeof(flow_place_pair) == 8);

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
    [[nodiscard]] unsigned& place(std::size_t number) const noexcept {
        flow_place_pair& pair = places_[number / 2];
        return number % 2 == 0 ? pair.even : pair.odd;
    }
    [[nodiscard]] bool lies_at(Slot slot, const flow_key& key) const noexcept;
    /// The place that leads to the flow with this key, or a free one that may; null: there is none.
    [[nodiscard]] unsigned* place_of(const flow_key& key, bool free) const noexcept;
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
    Mapped<flow_place_pair> places_;
    Mapped<flow_rest> rests_;
    std::mutex changing_;  ///< flows, places and slots_
    FlowSlots slots_;
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
    auto places = Mapped<flow_place_pair>::map(object_, "places");
    if (!places) return std::unexpected(places.error());
    places_ = std::move(*places);
    auto rests = Mapped<flow_rest>::map(object_, "rests");
    if (!rests) return std::unexpected(rests.error());
    rests_ = std::move(*rests);

    std::vector<bool> used(flows_.size());
    for (const Kept& kept : this->flows()) used[kept.slot] = true;
    slots_ = FlowSlots(used);
    return {};
}

bool PinnedTable::lies_at(Slot slot, const flow_key& key) const noexcept {
    return flow_is_like(&flows_[slot], &key) != 0 && flow_rest_is_like(&rests_[slot], &key) != 0;
}

unsigned* PinnedTable::place_of(const flow_key& key, bool free) const noexcept {
    for (unsigned attempt = 0; attempt < FLOW_TRIES; ++attempt) {
        unsigned& slot_and_one = place(flow_place_of(key.destination, port_of(key), attempt));
        if (free ? slot_and_one == 0 : slot_and_one != 0 && lies_at(slot_and_one - 1, key)) return &slot_and_one;
    }
    return nullptr;
}

Result<FlowTable::Slot> PinnedTable::put(const FlowKey& key, const FlowRule& rule, const FlowStart& start, bool proof) {
    const flow_key words = to_words(key);
    const Instant now = std::chrono::steady_clock::now();
    const std::lock_guard lock(changing_);
    (void)take_out(words);
    unsigned* place = place_of(words, true);
    const auto slot = place != nullptr ? slots_.take(now) : std::nullopt;
    if (!slot) return fail(Errc::exhausted, "the flow table is full");
    FlowWords added = to_words(key, rule);
    added.first.ifindex = 0;  // no flow yet
    added.first.expires = nanoseconds(now + lease_);
    added.first.proof = proof ? 1 : 0;
    flow_state& state = added.first.state;
    state.sequence = state.start_sequence = start.sequence;
    state.timestamp = start.timestamp;
    state.rtp_last = nanoseconds(start.rtp_last);
    state.jitter = static_cast<unsigned>(start.jitter.count());
    flows_[*slot] = added.first;
    rests_[*slot] = added.rest;
    std::atomic_ref(*place).store(*slot + 1, std::memory_order_release);
    std::atomic_ref(flows_[*slot].ifindex).store(words.ifindex, std::memory_order_release);
    return *slot;
}

Result<FlowTable::Slot> PinnedTable::add(const FlowKey& key, const FlowRule& rule, const FlowStart& start) {
    return put(key, rule, start, false);
}

FlowCount PinnedTable::remove(const FlowKey& key) {
    const std::lock_guard lock(changing_);
    return take_out(to_words(key));
}

FlowCount PinnedTable::take_out(const flow_key& words) {
    unsigned* place = place_of(words, false);
    if (place == nullptr) return {};
    const Slot slot = *place - 1;
    std::atomic_ref(flows_[slot].ifindex).store(0, std::memory_order_release);
    std::atomic_ref(*place).store(0, std::memory_order_release);
    slots_.release(slot, std::chrono::steady_clock::now());
    return count_of(flows_[slot].state);
}

std::vector<FlowTable::Kept> PinnedTable::flows() const {
    std::vector<Kept> found;
    for (std::size_t number = 0; number < 2 * places_.size(); ++number) {
        const unsigned slot_and_one = place(number);
        if (slot_and_one == 0 || slot_and_one > flows_.size()) continue;
        const flow& first = flows_[slot_and_one - 1];
        const flow_rest& rest = rests_[slot_and_one - 1];
        found.push_back({.key = key_of(first, rest), .rule = rule_of(first, rest), .slot = slot_and_one - 1});
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
    for (const char* map : {"flows", "rests", "places", "passed", "proofs"}) {
        if (const auto pinned = object->pin(map, pins + map); !pinned) return std::unexpected(pinned.error());
    }
    for (const char* map : {"flows", "rests"}) {
        const auto sized = object->set_capacity(map, kept != 0 ? kept : settings.capacity);
        if (!sized) return std::unexpected(sized.error());
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
