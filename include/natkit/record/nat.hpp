#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "natkit/nat/classify.hpp"
#include "natkit/nat/decide.hpp"

/// The records that natkit's programs read and write, one JSON object a line: natkit-records(7).
namespace natkit::record {

/// One observation: what stands where, and the named test that it made fire.
struct Evidence {
    std::string field;  ///< "Contact", "Via", "source", "SDP c="
    std::string value;  ///< as it was written
    std::string test;   ///< "private-contact"

    friend bool operator==(const Evidence&, const Evidence&) = default;
};

/// The `nat` object: what a message says about its sender.
struct Nat {
    nat::Verdict verdict;
    IpAddress received;
    std::vector<Evidence> evidence;        ///< one or more for each test that fired
    std::optional<unsigned> nat_uac_test;  ///< the number Kamailio's nathelper has for a request
    std::vector<Evidence> alg;             ///< what an application layer gateway seems to have done

    [[nodiscard]] std::vector<std::string> tests() const;  ///< names of the tests that fired, each once, in order
};

[[nodiscard]] nlohmann::ordered_json to_json(const Nat& nat);
[[nodiscard]] nlohmann::ordered_json to_json(const Evidence& evidence);
/// A verdict alone: place, behind_nat, rule, site, family.
[[nodiscard]] nlohmann::ordered_json to_json(const nat::Verdict& verdict, const IpAddress& received);

}  // namespace natkit::record
