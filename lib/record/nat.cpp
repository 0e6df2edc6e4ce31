#include "natkit/record/nat.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace natkit::record {

std::vector<std::string> Nat::tests() const {
    std::vector<std::string> names;
    for (const Evidence& one : evidence) {
        if (std::ranges::find(names, one.test) == names.end()) names.push_back(one.test);
    }
    return names;
}

nlohmann::ordered_json to_json(const Evidence& evidence) {
    return {{"field", evidence.field}, {"value", evidence.value}, {"test", evidence.test}};
}

nlohmann::ordered_json to_json(const nat::Verdict& verdict, const IpAddress& received) {
    return {{"place", nat::to_string(verdict.place)},
            {"behind_nat", verdict.place == nat::Place::far_end},
            {"rule", nat::to_string(verdict.rule)},
            {"site", to_string(verdict.site)},
            {"family", to_string(received.family())}};
}

nlohmann::ordered_json to_json(const Nat& nat) {
    nlohmann::ordered_json json = to_json(nat.verdict, nat.received);
    json["evidence"] = nlohmann::ordered_json::array();
    for (const Evidence& one : nat.evidence) json["evidence"].push_back(to_json(one));
    json["tests"] = nat.tests();
    if (nat.nat_uac_test) json["nat_uac_test"] = *nat.nat_uac_test;
    json["alg_suspected"] = !nat.alg.empty();
    if (!nat.alg.empty()) {
        json["alg_evidence"] = nlohmann::ordered_json::array();
        for (const Evidence& one : nat.alg) json["alg_evidence"].push_back(to_json(one));
    }
    return json;
}

}  // namespace natkit::record
