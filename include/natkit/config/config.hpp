#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "natkit/base/endpoint.hpp"
#include "natkit/base/error.hpp"
#include "natkit/base/host.hpp"
#include "natkit/base/log_level.hpp"
#include "natkit/base/transport.hpp"
#include "natkit/nat/decide.hpp"
#include "natkit/nat/networks.hpp"
#include "natkit/ng/listen.hpp"
#include "natkit/proxy/path_mode.hpp"
#include "natkit/relay/ports.hpp"
#include "natkit/relay/tiers.hpp"

/// The configuration file natkit.toml as plain values: natkit.toml(5) documents each key.
namespace natkit::config {

using Milliseconds = std::chrono::milliseconds;

using natkit::Transport;

/// A listening SIP socket: "udp:203.0.113.10:5060". The text also names the socket between the programs.
struct Listen {
    Transport transport{};
    Endpoint endpoint;

    /// The port may be missing: 5060, for tls 5061.
    [[nodiscard]] static Result<Listen> parse(std::string_view text);
    friend auto operator<=>(const Listen&, const Listen&) = default;
};
[[nodiscard]] std::string to_string(const Listen& listen);

/// [network]
struct Network {
    nat::Networks lists{.lan = {}, .nated = nat::default_nated(), .nat_servers = {}};
    bool lan_given = false;   ///< false: `lan` comes from the host's interfaces, see apply_host()
    bool lan_trusted = true;  ///< false on a host with one interface: being on the LAN then grants nothing (apply_host)
    friend bool operator==(const Network&, const Network&) = default;
};

enum class RouteKind : std::uint8_t {
    home,   ///< users register there: anybody may call in
    trunk,  ///< LAN and authenticated users may call out
};
using proxy::PathMode;

/// One entry of [sip.routes].
struct Route {
    std::string domain;  ///< lower case
    std::string to;      ///< "sip:192.168.10.50:5060"
    RouteKind kind = RouteKind::home;
    PathMode path = PathMode::automatic;
    friend bool operator==(const Route&, const Route&) = default;
};

/// [sip]
struct Sip {
    std::vector<Listen> listen;
    bool listen_given = false;                 ///< false: every global address of the host, see apply_host()
    std::map<IpAddress, IpAddress> advertise;  ///< bound address → the public one that stands for it
    std::vector<std::string> domains;          ///< lower case; registered here
    std::vector<Route> routes;
    LogLevel log_level = LogLevel::major;
    Milliseconds max_dialog = std::chrono::hours(12);
    friend bool operator==(const Sip&, const Sip&) = default;
};

/// [registrar]
struct Registrar {
    std::string users;  ///< path of a file of user:realm:HA1 lines; empty: none
    bool open = false;  ///< REGISTER without a password from anywhere
    std::string state;  ///< path of the SQLite file; empty: memory only
    Milliseconds min_expires = std::chrono::seconds(60);
    Milliseconds max_expires = std::chrono::hours(1);
    friend bool operator==(const Registrar&, const Registrar&) = default;
};

using relay::FastPathChoice;
using relay::PortRange;
using relay::ReceiveChoice;

/// [media_proxy]
struct MediaProxy {
    LogLevel log_level = LogLevel::major;
    PortRange ports{.first = 16384, .last = 32767};
    std::optional<std::uint8_t> tos;  ///< the whole TOS byte (DSCP shifted by two); absent: "os-default"
    bool source_port_restriction = true;
    nat::Policy policy;  ///< relay_same_nat, relay_for
    Milliseconds timeout = std::chrono::seconds(60);
    Milliseconds hold_timeout = std::chrono::hours(2);
    RangeSet dial_for;  ///< TCP media: where parties may be connected to though their signalling comes from elsewhere
    Milliseconds unproven_media = std::chrono::seconds(5);  ///< what a stranger's silent endpoint is sent at most
    std::vector<IpAddress> lan_addresses;  ///< bound addresses; a side that is empty: from [sip] listen (apply_host)
    std::vector<IpAddress> wan_addresses;
    unsigned workers = 1;
    relay::TierChoice tiers;  ///< fast_path, fast_path_lapse, receive
    friend bool operator==(const MediaProxy&, const MediaProxy&) = default;
};

enum class PingMethod : std::uint8_t { crlf, options };
[[nodiscard]] const char* to_string(PingMethod method) noexcept;  ///< "crlf", "options"

/// [pinger]
struct Pinger {
    LogLevel log_level = LogLevel::major;
    unsigned clients_limit = 10'000;
    std::optional<Milliseconds> udp_interval = std::chrono::seconds(25);  ///< absent: "off"
    std::optional<Milliseconds> tcp_interval = std::chrono::seconds(120);
    PingMethod method = PingMethod::crlf;
    friend bool operator==(const Pinger&, const Pinger&) = default;
};

enum class LogFormat : std::uint8_t { text, json };

/// [log]
struct Log {
    LogFormat format = LogFormat::text;
    std::string target = "stderr";  ///< "stderr", "journal" or an absolute path
    std::string calls;              ///< where records of calls go: "journal" or an absolute path; empty: nowhere
    friend bool operator==(const Log&, const Log&) = default;
};

/// [control]
struct Control {
    std::string socket;                                   ///< absolute path; the other programs' sockets lie beside it
    std::optional<Endpoint> metrics = default_metrics();  ///< absent: ""
    bool metrics_given = false;                           ///< false: going without is better than not starting
    [[nodiscard]] static Endpoint default_metrics();
    friend bool operator==(const Control& a, const Control& b) {
        return a.socket == b.socket && a.metrics == b.metrics;
    }
};

/// [tls]: absolute paths, or empty.
struct Tls {
    std::string certificate;
    std::string key;
    std::string ca;
    friend bool operator==(const Tls&, const Tls&) = default;
};

/// [daemon]
struct Daemon {
    std::string user;  ///< whom the workers run as; empty: no change
    friend bool operator==(const Daemon&, const Daemon&) = default;
};

/// [limits]: what one sender can ask for, so that others are left enough.
struct Limits {
    unsigned streams = 16;              ///< media streams of a session description
    unsigned stranger_streams = 200;    ///< relayed streams of the calls of one stranger (IPv6: of a /64)
    unsigned user_streams = 400;        ///< of the calls of one user
    unsigned stranger_ports = 50;       ///< percent of the media ports for all strangers' calls
    unsigned lookups = 30;              ///< of names in session descriptions, a minute for one sender
    unsigned outside_ports = 90;        ///< percent of the media ports for all calls but the LAN's
    unsigned flow_requests = 100;       ///< a second, of one flow
    unsigned source_requests = 300;     ///< a second, of one address that nobody is registered by
    unsigned stranger_requests = 1000;  ///< a second, of all addresses that nobody is registered by
    unsigned server_requests = 1000;    ///< a second, of one server, LAN address, address of registered phones
    unsigned transactions = 50'000;     ///< of each kind
    unsigned transaction_memory = 256;  ///< MB
    unsigned connections = 8192;        ///< TCP and TLS
    unsigned source_connections = 256;  ///< of one address, that nobody is registered by
    friend bool operator==(const Limits&, const Limits&) = default;
};

/// [ng]: rtpengine's protocol, for a proxy that has its own.
struct Ng {
    std::vector<ng::Listen> listen;
    /// Names of `direction=`; others that begin with lan, wan, priv, pub, int or ext are known without.
    std::map<std::string, Side, std::less<>> interfaces{{"internal", Side::lan}, {"external", Side::wan}};
    Milliseconds delete_delay{0};  ///< how long a deleted call goes on; whole seconds
    unsigned max_calls = 0;        ///< beyond which new ones are sent to another node; 0: as many as there are ports
    friend bool operator==(const Ng&, const Ng&) = default;
};

/// [rtpproxy]: the older protocol.
struct Rtpproxy {
    std::vector<ng::Listen> listen;
    friend bool operator==(const Rtpproxy&, const Rtpproxy&) = default;
};

/// Whether the pages are served encrypted.
enum class WebTls : std::uint8_t {
    automatic,  ///< where [tls] has a certificate, and others than this host can come
    on,
    off,
};

/// [web]: the pages, which natkit-web serves.
struct Web {
    std::optional<Endpoint> listen;  ///< absent: ""
    std::string users;               ///< path of the file that `natkit web` writes
    std::vector<std::string> names;  ///< lower case: host names that browsers may ask for, besides addresses
    WebTls tls = WebTls::automatic;
    bool read_only = false;  ///< shows, and changes nothing
    friend bool operator==(const Web&, const Web&) = default;
};

/// Where copies of messages and reports are sent: "udp:homer.example.com:9060".
struct HepTarget {
    std::string host;  ///< lower case: a name, or an address as to_string() writes it
    std::uint16_t port = 9060;

    /// The port may be missing: 9060.
    [[nodiscard]] static Result<HepTarget> parse(std::string_view text);
    friend bool operator==(const HepTarget&, const HepTarget&) = default;
};
[[nodiscard]] std::string to_string(const HepTarget& target);

/// [hep]
struct Hep {
    std::optional<HepTarget> target;  ///< absent: ""
    unsigned id = 2001;               ///< of the capture agent that natkit is
    std::string node;                 ///< its name; empty: the host's
    friend bool operator==(const Hep&, const Hep&) = default;
};

/// A Redis server that several nodes share: "redis://10.0.0.5:6379/0".
struct RedisTarget {
    std::string host;  ///< lower case: a name, or an address as to_string() writes it
    std::uint16_t port = 6379;
    unsigned database = 0;

    /// Port and database may be missing: 6379 and 0. Credentials have keys of their own and are refused here.
    [[nodiscard]] static Result<RedisTarget> parse(std::string_view text);
    friend bool operator==(const RedisTarget&, const RedisTarget&) = default;
};
[[nodiscard]] std::string to_string(const RedisTarget& target);

/// An edge of several that are active at once: where it listens for the others, by UDP.
struct ClusterPeer {
    std::string node;
    Endpoint listen;
    friend bool operator==(const ClusterPeer&, const ClusterPeer&) = default;
};

/// [cluster]: nodes that take each other's calls and registrations over, or reach each other's clients.
struct Cluster {
    std::optional<RedisTarget> state;  ///< absent: "", this node is alone
    std::string node;                  ///< its name; empty: the host's
    std::string group = "natkit";      ///< the nodes that belong together, of all that use the same server
    std::string key;                   ///< path of the key that all nodes have
    std::string user;                  ///< whom Redis knows this node as; empty: its default user
    std::string password_file;         ///< path; empty: none
    Milliseconds timeout = std::chrono::seconds(3);  ///< of a connection to Redis and of an answer
    /// Of all nodes, this one too, where several are active at once; empty: one is, and the others stand by.
    std::vector<ClusterPeer> peers;
    friend bool operator==(const Cluster&, const Cluster&) = default;
};

struct Config {
    Network network;
    Sip sip;
    Registrar registrar;
    MediaProxy media_proxy;
    Limits limits;
    Pinger pinger;
    Ng ng;
    Rtpproxy rtpproxy;
    Web web;
    Hep hep;
    Cluster cluster;
    Log log;
    Control control;
    Tls tls;
    Daemon daemon;
    friend bool operator==(const Config&, const Config&) = default;
};

/// Where files lie by default: a matter of who runs the program.
struct Surroundings {
    std::string runtime_dir = "/run/natkit";    ///< sockets, snapshot, journal
    std::string state_dir = "/var/lib/natkit";  ///< what outlives a restart of the host

    /// $RUNTIME_DIRECTORY and $STATE_DIRECTORY where systemd sets both. Else, root: as above. Others:
    /// $XDG_RUNTIME_DIR/natkit (else /tmp/natkit-UID) and $XDG_STATE_HOME/natkit (else
    /// ~/.local/state/natkit).
    [[nodiscard]] static Surroundings of_process();
};

/// A configuration that can be used, and what its author should look at all the same.
struct Loaded {
    Config config;
    Config written;  ///< the same before apply_host(), to be fitted to the host anew when its addresses change
    std::vector<Error> warnings;
    std::map<std::string, std::string> places;  ///< of each key in the file: "[sip] listen" → "natkit.toml:7:10"
};

/// Every problem of a file, in the order of its lines: `where` is "file:line:column", `message` is
/// "[section] key: what is wrong; what to write instead".
using Problems = std::vector<Error>;

/// What could be read of a file that may have mistakes.
struct Draft {
    Loaded loaded;         ///< where a value is wrong: as if it were not written
    Problems problems;     ///< of the text
    bool readable = true;  ///< false: no such file, or its syntax is bad, and `loaded` holds nothing of it
};

/// Reads a configuration text. Pure and total. `name` stands for the file in messages; relative paths in the text are
/// relative to `base_dir`. Keys that are missing get their defaults; `listen`, `lan` and the media addresses may be
/// empty until apply_host().
[[nodiscard]] std::expected<Loaded, Problems> parse(std::string_view text, std::string_view name,
                                                    std::string_view base_dir, const Surroundings& surroundings);

/// The same, for who wants to look for further problems as well.
[[nodiscard]] Draft draft(std::string_view text, std::string_view name, std::string_view base_dir,
                          const Surroundings& surroundings);

/// Reads a file. `base_dir` empty: the folder of the file.
[[nodiscard]] std::expected<Loaded, Problems> load(const std::string& path, std::string base_dir = {});

/// Problems that show later ("[sip] listen: address already in use") get the position of their key, if it is there.
void locate(std::span<Error> problems, const std::map<std::string, std::string>& places);

/// The file to read when no --config was given: $NATKIT_CONFIG, else /etc/natkit/natkit.toml if it exists, else empty
/// (built-in defaults).
[[nodiscard]] std::string default_file();

/// Loads `path`, or the built-in defaults when it is empty.
[[nodiscard]] std::expected<Loaded, Problems> load_or_default(const std::string& path, std::string base_dir = {});
[[nodiscard]] Draft draft_or_default(const std::string& path, std::string base_dir = {});

/// Fills what depends on the host: `lan` (directly connected private networks), `listen` (udp and tcp 5060 on every
/// global address; "0.0.0.0" and "::" become the host's addresses), the media addresses (those of `listen`, by side),
/// `lan_trusted`. Pure. Returns what an operator should look at.
[[nodiscard]] std::vector<Error> apply_host(Config& config, std::span<const HostAddress> host);

/// The whole configuration as a natkit.toml with every key; parse() of it gives the same values.
[[nodiscard]] std::string to_toml(const Config& config);

/// Whether SIP is wanted at all: `listen = []` makes a relay for others, and nothing else. Of a configuration before
/// apply_host(), which may find no address yet.
[[nodiscard]] bool wants_sip(const Config& written) noexcept;

/// Whether natkit-web speaks TLS.
[[nodiscard]] bool encrypts(const Config& config) noexcept;

/// The side of an address of this host: `lan` if it lies in `lan`, else `wan`.
[[nodiscard]] nat::Place side_of(const IpAddress& address, const Config& config) noexcept;

/// The address others are told for a bound one: its `advertise` entry, or itself.
[[nodiscard]] IpAddress advertised(const IpAddress& bound, const Config& config);

/// "os-default" gives nothing; "0" to "255" the byte itself; a DSCP name ("ef", "af41", "cs5") its value times four.
[[nodiscard]] Result<std::optional<std::uint8_t>> parse_tos(std::string_view text);

}  // namespace natkit::config
