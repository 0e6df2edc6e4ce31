#pragma once

#include <cstdint>

/// Who may do what: for every method, and for the hop that is left when Route processing is done.
namespace natkit::proxy {

enum class Sender : std::uint8_t {
    lan,     ///< on the LAN side of a host that has one
    user,    ///< proved by a password who it is, or uses the flow on which it did
    server,  ///< sends from the address of a server of [sip.routes]
    stranger,
};
enum class Destination : std::uint8_t {
    edge,        ///< the edge itself
    registered,  ///< a user registered here
    home,        ///< the other server of a domain whose users register there
    trunk,       ///< a server that LAN and authenticated users may call out by
    dialog,      ///< the peer of a dialog, by the token of that dialog
    client,      ///< a client that is registered on another server, by the token that server was given
    elsewhere,   ///< any other address
    inside,      ///< a LAN address that is no registered user
};

/// What is known of a request's sender.
struct Facts {
    bool on_lan = false;       ///< source in `lan`, by a LAN interface
    bool lan_trusted = true;   ///< false with a single interface: port forwarding may make anybody look like the LAN
    bool from_server = false;  ///< the source is a server of [sip.routes]
    bool own_flow = false;     ///< a password was accepted on this flow; for the user it claims to be, if it claims one
    bool password = false;     ///< this request carries a password that is right, of the user it claims to be
    bool claims_user = false;  ///< its From names a domain registered here
    bool users_kept = false;   ///< [registrar] users is set: claims can be proved
    bool in_dialog = false;    ///< it carries the token of its dialog
};

[[nodiscard]] Sender sender_of(const Facts& facts) noexcept;

/// Whether the sender has to prove by a password who it claims to be (407).
[[nodiscard]] bool must_prove(const Facts& facts) noexcept;

/// Whether `sender` may have a request forwarded to `destination`.
[[nodiscard]] bool may_send(Sender sender, Destination destination) noexcept;

/// Whether a user's flow alone does not let a request go there, where its packets may be another's: what costs money or
/// can be aimed at anybody is for who shows a password with the request.
[[nodiscard]] bool needs_password(Sender sender, Destination destination) noexcept;

/// Whether what the sender says about identities (P-Asserted-Identity and the like) is passed on.
[[nodiscard]] bool identities_trusted(Sender sender) noexcept;

}  // namespace natkit::proxy
