// Holds a flow table and does to it what lines on stdin say, an answer a line: the tests' way to the table alone.
//   flow_driver FOLDER LEASE_SECONDS
#include <charconv>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <map>
#include <sstream>
#include <string>

#include "natkit/bpf/flow_table.hpp"

namespace {

using namespace natkit;
using bpf::FlowTable;

template <class T>
std::string said(const Result<T>& result) {
    return result ? "ok" : "error " + to_string(result.error());
}

std::string shown(const bpf::FlowCount& count) {
    std::ostringstream out;
    out << count.packets << ' ' << count.bytes << ' ' << count.rtp_packets << ' ' << count.sequence << ' '
        << count.jitter.count();
    return out.str();
}

Endpoint endpoint(std::istream& words) {
    std::string text;
    words >> text;
    return Endpoint::parse(text).value();
}

bpf::FlowKey key(std::istream& words) {
    bpf::FlowKey key;
    words >> key.interface;
    key.source = endpoint(words);
    key.destination = endpoint(words);
    return key;
}

std::string add(FlowTable& table, std::istream& words) {
    const bpf::FlowKey flow = key(words);
    bpf::FlowRule rule{.source = endpoint(words), .destination = endpoint(words)};
    unsigned tos = 0;
    unsigned kind = 0;
    words >> tos >> kind >> rule.ssrc >> rule.clock_rate;
    rule.tos = static_cast<std::uint8_t>(tos);
    rule.kind = static_cast<bpf::FlowKind>(kind);
    const auto slot = table.add(flow, rule, {});
    return slot ? std::to_string(*slot) : said(slot);
}

std::string self_test(FlowTable& table, std::istream& words) {
    bpf::FlowInterface interface;
    unsigned family = 0;
    std::string mac;
    words >> interface.index >> mac >> family;
    for (std::size_t i = 0; i < 6; ++i) {
        std::from_chars(mac.data() + 3 * i, mac.data() + 3 * i + 2, interface.hardware_address[i], 16);
    }
    return said(table.self_test(interface, family == 4 ? Family::ipv4 : Family::ipv6));
}

std::string flows(const FlowTable& table) {
    std::string text = "flows";
    for (const auto& kept : table.flows())
        text += " " + to_string(kept.key.destination) + "=" + shown(table.read(kept.slot));
    return text;
}

std::string passed(const FlowTable& table) {
    const auto p = table.passed();
    std::ostringstream out;
    out << "expired=" << p.expired << " last_hop=" << p.last_hop << " other_kind=" << p.other_kind
        << " other_ssrc=" << p.other_ssrc << " no_checksum=" << p.no_checksum << " too_large=" << p.too_large
        << " no_route=" << p.no_route << " no_forwarding=" << p.no_forwarding << " failed=" << p.failed;
    return out.str();
}

std::string answer(FlowTable& table, std::istream& words) {
    std::string command;
    unsigned number = 0;
    words >> command;
    if (command == "add") return add(table, words);
    if (command == "remove") return shown(table.remove(key(words)));
    if (command == "test") return self_test(table, words);
    if (command == "flows") return flows(table);
    if (command == "passed") return passed(table);
    words >> number;
    if (command == "read") return shown(table.read(number));
    if (command == "attach") return said(table.attach(number));
    if (command == "route") return said(bpf::let_filters_route(number == 4 ? Family::ipv4 : Family::ipv6));
    if (command == "renew") {
        table.renew(number, std::chrono::steady_clock::now());
        return "ok";
    }
    return "unknown";
}

int clear(const std::string& folder, int argc, char** argv) {
    std::vector<unsigned> interfaces;
    for (int i = 3; i < argc; ++i) interfaces.push_back(static_cast<unsigned>(std::stoul(argv[i])));
    const auto removed = bpf::remove_flow_table(folder, interfaces);
    std::cout << (removed ? std::to_string(*removed) : said(removed)) << std::endl;
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    const std::string folder = argv[1];
    if (argc > 2 && std::string(argv[2]) == "clear") return clear(folder, argc, argv);
    const auto table = FlowTable::open(
        {.folder = folder, .capacity = 1024, .lease = std::chrono::seconds(argc > 2 ? std::atoi(argv[2]) : 600)});
    std::cout << (table ? "open" : said(table)) << std::endl;
    if (!table) return 1;
    for (std::string line; std::getline(std::cin, line);) {
        std::istringstream words(line);
        std::cout << answer(**table, words) << std::endl;
    }
    return 0;
}
