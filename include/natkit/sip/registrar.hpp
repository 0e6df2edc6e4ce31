#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "natkit/base/deadlines.hpp"
#include "natkit/base/time.hpp"
#include "natkit/nat/classify.hpp"
#include "natkit/sip/flow.hpp"

namespace natkit::sip {

/// A registered address: where a user can be reached, and by which flow.
struct Binding {
    std::string id;        ///< see binding_id()
    std::string aor;       ///< "bob@example.com"
    std::string contact;   ///< the Contact URI as the client gave it
    std::string instance;  ///< "+sip.instance" (RFC 5626), empty when there is none
    Flow flow;             ///< the flow it registered on
    nat::Verdict verdict;  ///< where the client is
    WallTime expires;
    WallTime registered;  ///< when its last REGISTER was accepted
    std::string call_id;
    std::uint32_t cseq = 0;
    int q = 1000;  ///< thousandths
    std::string user_agent;
    bool authenticated = false;  ///< the REGISTER carried a password that was accepted
    std::string server;          ///< the domain of [sip.routes] whose server has the registration; empty: ours
    bool reached = false;        ///< what is sent to this flow's address arrives at whoever registered
};

struct BindingChange {
    enum class Kind : std::uint8_t { added, updated, removed } kind{};
    Binding binding;
    bool taken = false;      ///< added: another node had it until now
    bool elsewhere = false;  ///< removed: another node has it, and has to hear that it is over, as `binding` says
};

/// What tells the bindings of one user apart. RFC 3261 section 10.3 says: the Contact. Behind a NAT that is an address
/// which others have too, so that there it is the Contact at that site; and the same Call-ID is the same client,
/// wherever its NAT shows it now (section 10.2: a client uses one Call-ID for all its registrations).
struct ClientName {
    std::string_view contact;
    const nat::Verdict& verdict;
    std::string_view call_id;

    [[nodiscard]] bool names(const Binding& binding) const;
};

/// One Contact of a REGISTER.
struct ContactRequest {
    std::string uri;
    std::optional<std::chrono::seconds> expires;  ///< its own parameter, else the header's, else the default
    int q = 1000;
    std::string instance;
};

struct Registration {
    std::string aor;
    std::vector<ContactRequest> contacts;
    bool remove_all = false;  ///< "Contact: *" with Expires 0
    std::string call_id;
    std::uint32_t cseq = 0;
    Flow flow;
    nat::Verdict verdict;
    std::string user_agent;
    bool authenticated = false;
    bool reached = false;
};

/// Equal flows have equal hashes.
struct FlowHash {
    [[nodiscard]] std::size_t operator()(const Flow& flow) const noexcept;
};

/// The location service of RFC 3261 section 10, in memory: whoever keeps it persistent follows the changes and calls
/// restore() at start. Bounded: contacts per address of record, and bindings in all.
class Registrar {
  public:
    struct Limits {
        std::chrono::seconds min_expires{60};
        std::chrono::seconds max_expires{3600};
        std::size_t contacts_per_aor = 10;
        std::size_t bindings = 100'000;
    };
    struct Outcome {
        int status = 200;  ///< 200, 400, 423 (interval too brief), 500 (older CSeq), 503 (full)
        std::vector<BindingChange> changes;
    };

    /// `mac` makes the ids of bindings: its key must be the same after a restart.
    Registrar(const Limits& limits, Mac mac) : limits_(limits), mac_(std::move(mac)) {}
    void set_limits(const Limits& limits) { limits_ = limits; }
    /// Clients who are registered elsewhere, and keep their ids when they register here. Outlives this one.
    void set_elsewhere(const Registrar& elsewhere) { elsewhere_ = &elsewhere; }
    [[nodiscard]] const Limits& limits() const noexcept { return limits_; }

    /// All of a REGISTER or none of it (section 10.3 step 7).
    [[nodiscard]] Outcome register_contacts(const Registration& request, WallTime now);
    /// Takes what another server has granted. Refused (nothing changes) where it would be one too many, or its id is
    /// that of another user's binding.
    [[nodiscard]] std::vector<BindingChange> learn(Binding binding);
    /// Another server has ended a registration; without a client, all of that user's.
    [[nodiscard]] std::vector<BindingChange> forget(std::string_view aor,
                                                    const std::optional<ClientName>& client = std::nullopt);
    /// The same of this user's who are registered elsewhere and of whom `which` holds, by a REGISTER that was accepted
    /// here: its contacts do not matter. Those of its own Call-ID with a higher CSeq go on (section 10.3 step 7).
    [[nodiscard]] std::vector<BindingChange> end_elsewhere(const Registration& by,
                                                           const std::function<bool(const Binding&)>& which,
                                                           WallTime now) const;
    /// Takes up a binding from before a restart, unless it has expired.
    void restore(Binding binding, WallTime now);
    /// Takes over a binding of another node, in place of the one with its id: whatever the limits are here, for they
    /// held there. False when it has expired: then there is none of that id.
    bool replace(Binding binding, WallTime now);
    /// Removes one binding by its id (a dead client).
    [[nodiscard]] std::vector<BindingChange> remove(std::string_view id);
    /// Removes every binding on a flow (a connection that is over).
    [[nodiscard]] std::vector<BindingChange> remove_flow(const Flow& flow);
    /// The client that sent the REGISTER with this Call-ID and CSeq is reached by another flow than was thought then.
    [[nodiscard]] std::vector<BindingChange> move(const Flow& from, const Flow& to, std::string_view call_id,
                                                  std::uint32_t cseq);
    /// A client turns out to be elsewhere (other lists); nothing if it is not known.
    [[nodiscard]] std::vector<BindingChange> set_verdict(std::string_view id, nat::Verdict verdict);
    /// It has turned out that what is sent to that client arrives.
    [[nodiscard]] std::vector<BindingChange> set_reached(std::string_view id);
    [[nodiscard]] std::vector<BindingChange> expire(WallTime now);
    [[nodiscard]] std::optional<WallTime> next_expiry() const { return deadlines_.next(); }

    /// The live bindings of an address of record, highest q first, newest first among equals.
    [[nodiscard]] std::vector<Binding> lookup(std::string_view aor, WallTime now) const;
    /// Whether anybody is registered under that address of record.
    [[nodiscard]] bool knows(std::string_view aor) const { return users_.contains(aor); }
    /// The id that a client's binding has, or will have. It keeps it while it is registered, wherever its NAT shows it.
    [[nodiscard]] std::string id_for(std::string_view aor, const ClientName& client) const;
    /// The binding of that id, or null.
    [[nodiscard]] const Binding* by_id(std::string_view id) const;
    /// A client registered on exactly this flow, or null; with an address of record, only one of that.
    [[nodiscard]] const Binding* on_flow(const Flow& flow, std::string_view aor = {}) const;
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] std::vector<Binding> all() const;
    /// The ids of those that this holds for.
    [[nodiscard]] std::vector<std::string> ids_if(const std::function<bool(const Binding&)>& holds) const;
    /// Those of `most` addresses of record at most, the next ones after that one in their order.
    [[nodiscard]] std::vector<Binding> page(const std::string& after, std::size_t most) const;

  private:
    using Bindings = std::vector<Binding>;

    [[nodiscard]] std::chrono::seconds granted(const ContactRequest& contact) const;
    [[nodiscard]] Outcome check(const Registration& request, const Bindings& present) const;
    void put(Bindings& bindings, Binding binding, std::vector<BindingChange>& changes);
    void insert(Bindings& bindings, Binding binding);
    void drop(const std::string& aor, std::size_t index, std::vector<BindingChange>& changes);
    void forget_flow(const Bindings& rest, const Flow& flow, const std::string& aor);
    [[nodiscard]] std::vector<std::string> aors_of(const Flow& flow) const;

    [[nodiscard]] bool is_foreign(const std::string& id, const std::string& aor) const;
    [[nodiscard]] const Binding* named(std::string_view aor, const ClientName& client) const;

    Limits limits_;
    const Registrar* elsewhere_ = nullptr;
    Mac mac_;
    std::map<std::string, Bindings, std::less<>> users_;  ///< in order, so that a page costs what is on it
    /// Who is registered by a flow. A PBX may register thousands of users by one: none of them costs a walk over all.
    std::unordered_map<Flow, std::set<std::string, std::less<>>, FlowHash> aors_of_flow_;
    std::unordered_map<std::string, std::string> aor_of_id_;
    Deadlines<std::string, WallTime> deadlines_;  ///< keyed by address of record
    std::size_t size_ = 0;
};

/// The id of a binding: short, stable, and known to nobody who has not got the key. Whoever could compute it could look
/// for a user and a Contact of his own with the id of somebody else's. `where`: what else tells it from others.
[[nodiscard]] std::string binding_id(std::string_view aor, std::string_view contact, std::string_view where,
                                     const Mac& mac);

}  // namespace natkit::sip
