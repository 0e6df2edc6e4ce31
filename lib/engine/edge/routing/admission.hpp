#pragma once

#include <optional>
#include <string>
#include <unordered_set>

#include "answers.hpp"
#include "natkit/proxy/flood.hpp"
#include "natkit/proxy/proven.hpp"
#include "natkit/proxy/unanswered.hpp"
#include "neighbours.hpp"
#include "router.hpp"

namespace natkit::edge {

/// Who a request is from, and whether it may go on: floods, scanners, passwords, calls that nobody has answered yet.
class Admission {
  public:
    /// All of them outlive it.
    Admission(const Settings& settings, const Secrets& secrets, const sip::Registrar& registrar, const Media& media,
              const sip::TransactionLayer& layer, const Neighbours& neighbours, const Router& router,
              const Answers& answers, proxy::Unanswered& unanswered);

    /// The settings have changed.
    void follow_settings() { flood_.set_limits(settings_.flood); }

    // --- before anything is kept for a request
    /// Whether a request is one too many: of its flow, of its source, of all strangers. What goes on inside a dialog
    /// has a measure of its own besides, for its token cannot be made up.
    [[nodiscard]] bool floods(const sip::Message& request, const sip::Flow& flow, Now now, Output& out);
    /// Tools that look for open doors say what they are; they get no answer at all, unless they are on the LAN.
    [[nodiscard]] bool is_scanner(const sip::Message& request, const sip::Flow& flow) const;
    /// Whether this refusal is to be told: once a minute for a source, for there may be a flood of them.
    [[nodiscard]] bool first_refusal(const IpAddress& source, Instant now) { return flood_.first_refusal(source, now); }
    [[nodiscard]] std::uint64_t flooded() const noexcept { return flood_.refused(); }
    /// `elsewhere`: its packet came from another port than its sender listens on.
    [[nodiscard]] sip::Asker asker_of(const sip::Message& request, const sip::Flow& flow, bool elsewhere,
                                      Now now) const;
    /// Whoever shows what only who received it can know is where its packets come from: the branch of a request of
    /// ours, the To-tag of an answer of ours, the token of a dialog.
    void learn_proof(const sip::Message& message, const sip::Flow& flow, Now now);

    // --- whose a request is
    [[nodiscard]] Upstream upstream_of(const sip::Message& request, const sip::Flow& flow, const sip::Asker& asker,
                                       const Stripped& stripped, bool password = false) const;
    /// Whether a request without a dialog's token comes from where one of its ends is.
    [[nodiscard]] bool is_party(const sip::Flow& flow, SessionId session) const;
    /// Whom the media ports of a call are counted for.
    [[nodiscard]] proxy::Payer payer_of(const sip::Message& request, const Upstream& from) const;

    // --- whether it may go on; an answer: it may not
    // What another edge has passed on was judged there.
    /// RFC 3261 section 22.3: whoever claims to be one of our users from outside proves it.
    [[nodiscard]] std::optional<Answer> admit(JudgedRequest& asked, Now now, Output& out);
    /// A flow over UDP is no password: its source can be spoofed.
    [[nodiscard]] std::optional<Answer> lacks_proof(JudgedRequest& asked, const Route& found, Now now, Output& out);
    /// What rings holds media ports: strangers have their share of them, and no more.
    [[nodiscard]] std::optional<Answer> has_too_many(const JudgedRequest& asked, const Route& found, Now now,
                                                     Output& out);
    /// Who registers this user has the user's password.
    [[nodiscard]] std::optional<Answer> prove_registration(const JudgedRequest& asked, const sip::Uri& user, Now now,
                                                           Output& out);

  private:
    [[nodiscard]] bool in_own_dialog(const sip::Message& request, const sip::Flow& flow, Now now) const;
    [[nodiscard]] proxy::Facts facts_of(const sip::Message& request, const sip::Flow& flow, const sip::Asker& asker,
                                        nat::Place place, const Stripped& stripped) const;
    [[nodiscard]] std::optional<sip::Uri> claimed_user(const sip::Message& request) const;
    [[nodiscard]] std::optional<sip::Credentials> own_credentials(const sip::Message& request, sip::Name name,
                                                                  std::string_view realm) const;
    [[nodiscard]] sip::Flow lasting(const sip::Flow& flow, const sip::Message& request) const;
    [[nodiscard]] std::string realm_for(const std::optional<sip::Uri>& user) const;
    [[nodiscard]] std::optional<Answer> prove(JudgedRequest& asked, const std::optional<sip::Credentials>& credentials,
                                              Now now, Output& out);
    [[nodiscard]] std::optional<Answer> check_password(const JudgedRequest& asked, const sip::Credentials& credentials,
                                                       const std::string& uri, int status, std::string_view user,
                                                       const std::string& realm, Now now, Output& out);
    [[nodiscard]] Answer challenge(const JudgedRequest& asked, int status, std::string_view user,
                                   const std::string& realm, bool stale, Now now) const;

    const Settings& settings_;
    const Secrets& secrets_;
    const sip::Registrar& registrar_;
    const Media& media_;
    const sip::TransactionLayer& layer_;
    const Neighbours& neighbours_;
    const Router& router_;
    const Answers& answers_;
    sip::Authenticator authenticator_;
    proxy::FloodGate flood_;
    proxy::Unanswered& unanswered_;
    proxy::Proven proven_;
};

}  // namespace natkit::edge
