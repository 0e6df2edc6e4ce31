#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "../routing/admission.hpp"
#include "home_servers.hpp"

namespace natkit::edge {

/// The users who are registered here (RFC 3261 section 10), where they are, and whether they receive what is sent to
/// the address they register from.
class Registrations {
  public:
    /// All of them outlive it.
    Registrations(const Settings& settings, const Secrets& secrets, sip::Registrar& registrar,
                  sip::TransactionLayer& layer, Media& media, const Neighbours& neighbours, Admission& admission,
                  Answers& answers, HomeServers& home, Peers& peers)
        : settings_(settings),
          secrets_(secrets),
          registrar_(registrar),
          layer_(layer),
          media_(media),
          neighbours_(neighbours),
          admission_(admission),
          answers_(answers),
          home_(home),
          peers_(peers) {}

    void on_register(const JudgedRequest& asked, Now now, Output& out);
    /// Bindings have changed: who needs to know is told.
    void apply(std::vector<sip::BindingChange> changes, Now now, Output& out);
    /// The response to an OPTIONS of ours that asked whether somebody is there, also to one of before a restart.
    void note_reached(const sip::Message& response, const sip::Flow& flow, Now now, Output& out);
    /// The registered clients that other lists would put elsewhere.
    [[nodiscard]] std::vector<PlaceChange> place_changes(const nat::Networks& networks) const;
    /// The lists have changed: what clients showed when they registered is judged by them.
    void judge_anew(Now now, Output& out);

  private:
    [[nodiscard]] std::optional<Answer> may_register(const JudgedRequest& asked, const sip::Uri& user,
                                                     sip::Registration& registration, Now now, Output& out);
    [[nodiscard]] std::optional<Answer> may_register_unproved(const JudgedRequest& asked, const sip::Uri& user,
                                                              sip::Registration& registration, Now now,
                                                              Output& out) const;
    [[nodiscard]] Fields contacts_of(const std::string& aor, const sip::Flow& asker, WallTime now) const;
    [[nodiscard]] std::string look_branch(const sip::Binding& binding) const;
    void look_for(const sip::Binding& binding, Now now, Output& out);

    const Settings& settings_;
    const Secrets& secrets_;
    sip::Registrar& registrar_;
    sip::TransactionLayer& layer_;
    Media& media_;
    const Neighbours& neighbours_;
    Admission& admission_;
    Answers& answers_;
    HomeServers& home_;
    Peers& peers_;
};

}  // namespace natkit::edge
