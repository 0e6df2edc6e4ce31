#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "natkit/engine/explain/message_facts.hpp"

namespace natkit::explain {

/// What another SIP server's published rules would say about a request.
struct PeerVerdict {
    std::string peer;                ///< "kamailio", "opensips", "freeswitch"
    bool behind_nat = false;         ///< by the rule of its stock configuration
    std::string rule;                ///< that rule: nat_uac_test("19")
    unsigned number = 0;             ///< the sum of all its tests that fire; 0 where it has none
    std::vector<std::string> tests;  ///< their names there
};

/// Kamailio 5.6 (nathelper), OpenSIPS 3 (nathelper; its flags 32 and up mean other things), FreeSWITCH 1.10
/// (apply-nat-acl with nat.auto; that list leaves out the server's own subnet, which nobody knows here). Defects
/// included, as their sources have them.
[[nodiscard]] std::vector<PeerVerdict> compare_peers(std::string_view method, const MessageFacts& facts,
                                                     const Arrival& arrival);

}  // namespace natkit::explain
