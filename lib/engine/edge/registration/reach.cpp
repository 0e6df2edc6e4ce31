#include <algorithm>

#include "../print.hpp"
#include "registrations.hpp"

/// Return-routability: nobody is sent pings whom somebody else has registered from a forged source. A client over TCP
/// or TLS, or one that has answered a challenge, receives what is sent to it; any other is asked once.
namespace natkit::edge {
namespace {

constexpr std::string_view look_prefix = "z9hG4bK-natkit-look-";
constexpr std::size_t id_size = 16;
/// Time for the request and three copies of it.
constexpr std::chrono::seconds looks_for{4};

}  // namespace

/// The binding and a proof that we have asked this one, at this flow, after this REGISTER. Nothing is remembered.
std::string Registrations::look_branch(const sip::Binding& binding) const {
    const std::string text = "look\n" + binding.id + '\n' + to_string(binding.flow) + '\n' + binding.call_id + '\n' +
                             std::to_string(binding.cseq);
    const auto code =
        secrets_.mac(std::span<const std::uint8_t>(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
    return std::string(look_prefix) + binding.id + '-' + print_text(print_of(code));
}

/// One OPTIONS, repeated as one over UDP is (RFC 3261 section 17.1.2), but not for long: its address may be somebody
/// else's. The next REGISTER asks anew.
void Registrations::look_for(const sip::Binding& binding, Now now, Output& out) {
    const bool wanted = settings_.keeps_open && !binding.reached && binding.verdict.place == nat::Place::far_end &&
                        binding.flow.transport == sip::Transport::udp && binding.id.size() == id_size;
    if (!wanted) return;
    const std::string own = neighbours_.host_port(binding.flow);
    const std::string remote = to_string(binding.flow.remote);
    const std::string branch = look_branch(binding);
    const std::string mark = branch.substr(look_prefix.size());
    std::string text = "OPTIONS sip:" + remote + " SIP/2.0\r\n";
    text += "Via: SIP/2.0/UDP " + own + ";branch=" + branch + ";rport\r\n";
    text += "Max-Forwards: 1\r\nFrom: <sip:look@" + own + ">;tag=" + mark + "\r\n";
    text += "To: <sip:" + remote + ">\r\nCall-ID: natkit-look-" + mark + "\r\n";
    text += "CSeq: 1 OPTIONS\r\nUser-Agent: natkit\r\nContent-Length: 0\r\n\r\n";
    const sip::Sent sent{.bytes = std::make_shared<const std::string>(std::move(text)),
                         .method = "OPTIONS",
                         .branch = branch,
                         .share = sip::Share::stranger,
                         .unproven = true};
    sip::TransactionOutput produced;
    // Where there are too many transactions already it goes once.
    if (!layer_.request(sent, binding.flow, now.steady, produced, looks_for))
        produced.packets.push_back({.flow = binding.flow, .bytes = sent.bytes});
    std::ranges::move(produced.packets, std::back_inserter(out.packets));
}

void Registrations::note_reached(const sip::Message& response, const sip::Flow& flow, Now now, Output& out) {
    const auto& via = response.top_via();
    if (!via || !via->branch.starts_with(look_prefix)) return;
    const sip::Binding* binding = registrar_.by_id(std::string_view(via->branch).substr(look_prefix.size(), id_size));
    if (binding == nullptr || binding->reached || binding->flow != flow || look_branch(*binding) != via->branch) return;
    apply(registrar_.set_reached(binding->id), now, out);
}

}  // namespace natkit::edge
