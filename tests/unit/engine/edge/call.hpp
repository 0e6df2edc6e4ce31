#pragma once

#include "world.hpp"

/// A call between two phones of a World, for tests of what is said in it.
namespace natkit::edge::test {

/// The body of a message.
inline std::string body_of(const std::string& message) {
    const std::size_t at = message.find("\r\n\r\n");
    return at == std::string::npos ? std::string() : message.substr(at + 4);
}

/// The message with another header field.
inline std::string with(std::string message, const std::string& fields) {
    message.insert(message.find("\r\nContact:") + 2, fields);
    return message;
}

struct Call {
    World& world;
    const Phone& caller;
    const Phone& callee;
    std::string invite{};  ///< as the callee saw it
    std::string reply{};   ///< the last response with a Record-Route that the caller saw
    int cseq = 1;          ///< of the last request of either

    Call(World& in, const Phone& from, const Phone& to) : world(in), caller(from), callee(to) {
        world.add(caller);
        world.add(callee);
    }

    void ring(bool with_sdp = true) {
        invite = world.invite(caller, callee, with_sdp);
        REQUIRE_FALSE(invite.empty());
    }
    /// The callee answers a request as it saw it; what the caller gets.
    std::string back(const std::string& request, int status, const std::string& body, const std::string& fields = {}) {
        world.receive(callee, with(callee.response(request, status, body), fields));
        const std::string got = world.to(caller, "SIP/2.0 " + std::to_string(status));
        if (!header(got, "Record-Route").empty()) reply = got;
        return got;
    }
    std::string reliable(int status, const std::string& body, int rseq = 1) {
        return back(invite, status, body, "Require: 100rel\r\nRSeq: " + std::to_string(rseq) + "\r\n");
    }
    /// A request inside the dialog, as it reaches the other end; empty when it does not.
    std::string send(const Phone& from, const std::string& method, const std::string& body = {}, int number = 0,
                     const std::string& fields = {}) {
        const bool by_caller = &from == &caller;
        const Phone& to = by_caller ? callee : caller;
        const std::string route = by_caller ? routes(reply, true) : routes(invite, false);
        if (number == 0) number = ++cseq;
        world.receive(from,
                      from.request(method, "sip:" + to.name + "@" + to.address,
                                   "<sip:" + to.name + "@example.com>;tag=" + to.name, route + fields, body, number));
        return world.to(to, method);
    }
    /// The other end answers a request that `from` sent; what `from` gets.
    std::string answer(const Phone& from, const std::string& request, int status, const std::string& body = {}) {
        const Phone& to = &from == &caller ? callee : caller;
        world.receive(to, to.response(request, status, body));
        return world.to(from, "SIP/2.0 " + std::to_string(status));
    }
    /// Invited, answered, acknowledged.
    void establish() {
        ring();
        REQUIRE_FALSE(back(invite, 200, callee.sdp()).empty());
        REQUIRE_FALSE(send(caller, "ACK", {}, 1).empty());
    }
};

/// A phone's description with another number in o=, more lines, or another port.
inline std::string sdp_of(const Phone& phone, int version, const std::string& more = {}, int port = 4000) {
    std::string sdp = phone.sdp() + more;
    sdp.replace(sdp.find(" 1 1 "), 5, " 1 " + std::to_string(version) + " ");
    const std::string audio = "m=audio 4000 ";
    sdp.replace(sdp.find(audio), audio.size(), "m=audio " + std::to_string(port) + " ");
    return sdp;
}

/// Whether no address of the other side's private network is in it.
inline bool clean(const std::string& message, const Phone& private_phone) {
    const std::string body = body_of(message);
    return !body.empty() &&
           body.find(private_phone.address.substr(0, private_phone.address.find(':'))) == std::string::npos;
}

}  // namespace natkit::edge::test
