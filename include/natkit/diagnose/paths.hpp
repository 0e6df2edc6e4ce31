#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "natkit/diagnose/facts.hpp"
#include "natkit/diagnose/phases.hpp"

namespace natkit::diagnose {

/// How far a stream gets, told by where it goes.
enum class Reach : std::uint8_t {
    arrives,          ///< at its receiver, as far as the capture can tell
    on_the_way,       ///< to a relay or a NAT whose other side is in the capture: what comes out there counts
    private_address,  ///< from outside to an address that exists inside only
    older_endpoint,   ///< that an older description of the receiver named, or another branch of the fork
    origin_address,   ///< the address of o= (RFC 8866 section 5.2), which says nothing about media
    rtcp_port,        ///< one above the port for RTP
    other_mapping,    ///< a mapping of the receiver's NAT that is not the one its own packets come from
    other_interface,  ///< an address that the receiver itself neither signals nor sends from
    hairpin,          ///< the outer address of the NAT that both are behind, and it does not turn packets round
    back_to_sender,
    to_itself,  ///< a relay sends to itself
    elsewhere,  ///< where nobody was announced
    refused,    ///< ICMP says so to the end
};

/// A stream of the call, and whose media it is.
struct Path {
    const RtpStream* stream = nullptr;
    End from{};
    std::size_t line = 0;    ///< the m= line
    bool forwarded = false;  ///< by a relay; else as its sender, or the NAT in front of it, sent it
    bool inner = false;      ///< behind a NAT that translated its destination; the same is here in front of it
};

/// Follows media: finds out which party's media each stream is, by its ends and, from hop to hop, by its source (SSRC)
/// and its sequence numbers. Refers to the facts and phases. What it costs grows with the streams times the phases, and
/// with the square of the streams by comparisons of numbers only: a call has few, unless somebody means harm.
class Paths {
  public:
    Paths(const CallFacts& facts, const std::vector<Phase>& phases);

    [[nodiscard]] std::span<const Path> all() const noexcept { return paths_; }
    /// Once the phases are final: how far each stream gets in each, so that reach() needs to look up only.
    void judge();
    [[nodiscard]] Reach reach(const Path& path, const Phase& phase) const;
    /// What ICMP says about it to the end, or null.
    [[nodiscard]] const IcmpError* refused(const RtpStream& stream) const;
    /// When that began; of a stream that is refused.
    [[nodiscard]] std::int64_t refused_since(const RtpStream& stream) const;
    [[nodiscard]] bool behind_nat(End party) const;
    /// Both sides of a NAT are in the capture, and this is its outer address.
    [[nodiscard]] bool outside_of_nat(const IpAddress& address) const;
    /// A message or packet of the capture comes from or goes to this address.
    [[nodiscard]] bool seen(const IpAddress& address) const;
    /// Its messages come from this address, or name it as Contact.
    [[nodiscard]] bool signals_from(End party, const IpAddress& address) const;
    [[nodiscard]] bool is_private(const IpAddress& address) const;
    [[nodiscard]] bool same_box(const IpAddress& a, const IpAddress& b) const;
    /// Whose ICE candidate this is; nothing: nobody's.
    [[nodiscard]] std::optional<End> candidate_of(const Endpoint& at) const;
    /// Connectivity checks of ICE that were sent there are answered.
    [[nodiscard]] bool answers_checks(const Endpoint& at) const;
    [[nodiscard]] std::span<const Translation> translations() const noexcept { return translations_; }
    /// Where the media of a party comes from, in the order in which that began; what a relay sends is left out.
    [[nodiscard]] std::span<const RtpStream* const> sent_by(End party) const noexcept {
        return sent_[static_cast<std::size_t>(party)];
    }

  private:
    struct Named {
        Endpoint at;
        End party{};
        std::size_t line = 0;
        bool own = false;  ///< as the party wrote it; else it stands for the party, at a relay
    };
    /// Where the packets of a party come from in one phase.
    struct Sources {
        struct Source {
            std::uint64_t packets = 0;  ///< in the phase, once those of before its answer have passed
            std::uint64_t newest = 0;   ///< of these, of the stream with the most that began in the phase
            bool there = false, older = false;
        };
        std::unordered_map<Endpoint, Source, EndpointHash> of;
        std::array<std::pair<Endpoint, std::uint64_t>, 2> began = {};  ///< the two sources with most of `newest`
        const RtpStream* last = nullptr;
    };
    using PhaseSources = std::array<Sources, 2>;  ///< of the caller, of the callee

    void read_names(const std::vector<Phase>& phases);
    void read_candidates(const std::vector<Phase>& phases);
    void read_boxes();
    void read_addresses();
    void find_refused();
    [[nodiscard]] const IcmpError* refusal_of(const RtpStream& stream) const;
    [[nodiscard]] const Named* named(const Endpoint& at, bool own) const;
    [[nodiscard]] std::optional<Path> by_ends(const RtpStream& stream) const;
    [[nodiscard]] std::optional<Path> by_media(const RtpStream& stream, std::size_t first_new) const;
    void label();
    void find_inner();
    [[nodiscard]] Reach announced(const RtpStream& stream, End to, const MediaDescription& wanted,
                                  const Path& path) const;
    [[nodiscard]] bool turned_back(const RtpStream& stream, const Path& path) const;
    [[nodiscard]] Sources sources_of(End party, const Phase& phase) const;
    [[nodiscard]] bool current_source(const Endpoint& at, End party, const Phase& phase, std::size_t line,
                                      const PhaseSources& sources) const;
    [[nodiscard]] Reach reach(const Path& path, const Phase& phase, const PhaseSources& sources) const;

    const CallFacts& facts_;
    const std::vector<Phase>& phases_;
    using Addresses = std::unordered_set<Endpoint, EndpointHash>;  ///< ports are 0
    std::vector<Named> names_;
    /// Their numbers in names_, one more than that; 0: none. By party and by `own`.
    std::unordered_map<Endpoint, std::array<std::array<std::uint32_t, 2>, 2>, EndpointHash> names_at_;
    std::vector<Named> candidates_;                       ///< of ICE, other than those
    std::vector<Endpoint> answer_from_;                   ///< that answer checks
    std::vector<std::pair<IpAddress, IpAddress>> boxes_;  ///< addresses of one machine that passes messages or media on
    std::vector<Translation> translations_;
    std::vector<Path> paths_;
    std::array<std::vector<const RtpStream*>, 2> sent_;
    Addresses seen_;
    std::array<Addresses, 2> signals_;         ///< where the messages of a party come from, and its Contacts
    std::vector<const IcmpError*> refused_;    ///< of each stream of the facts
    std::vector<std::vector<Reach>> reaches_;  ///< by phase, then by path
};

/// RTP packets of these in a time, each once: of one source seen on both sides of a NAT, the side that has more.
[[nodiscard]] std::uint64_t packets_of(std::span<const RtpStream* const> streams, std::int64_t from_ns,
                                       std::int64_t to_ns);

}  // namespace natkit::diagnose
