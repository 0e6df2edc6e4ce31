#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "../peers/foreign.hpp"
#include "natkit/sip/peer_token.hpp"
#include "request.hpp"
#include "secrets.hpp"

namespace natkit::edge {

/// The other edges that are active at the same time ([cluster.peers]): whose clients are registered there, by which
/// flows they are reached, and by what the edges prove to each other that a request is from one of them.
class Peers {
  public:
    /// Both outlive it.
    Peers(const Settings& settings, const Secrets& secrets)
        : settings_(settings), secrets_(secrets), clients_(settings.registrar, secrets.mac) {}

    [[nodiscard]] ForeignClients& clients() noexcept { return clients_; }
    [[nodiscard]] const ForeignClients& clients() const noexcept { return clients_; }
    /// This node's, as natkit-cluster has told it.
    void set_epoch(std::uint64_t epoch) noexcept { epoch_ = epoch; }
    [[nodiscard]] std::uint64_t epoch() const noexcept { return epoch_; }

    /// The flow to a node; nothing: it is none of the others.
    [[nodiscard]] std::optional<sip::Flow> flow_to(std::string_view node) const;
    [[nodiscard]] std::optional<sip::Flow> flow_to(std::uint64_t number) const;

    /// What the tokens of dialogs say of this edge; nothing where it is the only one. `caller`: his registration here,
    /// or empty.
    [[nodiscard]] std::optional<sip::EdgeMark> mark(const sip::Flow& to, std::string_view caller) const;
    /// The node whose edge sees to a dialog; nothing: it is this one, as far as anybody can tell, or its address is
    /// here now.
    [[nodiscard]] std::optional<std::uint64_t> edge_of(const sip::DialogToken& token) const;

    /// What a request to another edge shows there, of whom it came from and, unless `binding` is empty, of the
    /// registration it is for. Nothing where the flow leads to none.
    [[nodiscard]] std::optional<std::string> proof(const sip::Flow& to, const sip::PeerContext& of,
                                                   const Upstream& from, std::string_view binding) const;
    /// What a request shows that came from another edge.
    [[nodiscard]] Result<sip::PeerToken> read(const sip::Message& request) const;
    /// Whom it came from, as that edge has judged.
    [[nodiscard]] Upstream upstream_of(const sip::PeerToken& token, const sip::Flow& flow, sip::Share share) const;

  private:
    const Settings& settings_;
    const Secrets& secrets_;
    ForeignClients clients_;
    std::uint64_t epoch_ = 0;
};

/// Whether a header field is what edges show each other, and nobody else.
[[nodiscard]] bool is_proof(const sip::Header& header) noexcept;

}  // namespace natkit::edge
