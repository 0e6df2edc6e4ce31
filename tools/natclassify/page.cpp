#include "natclassify/page.hpp"

#include <algorithm>
#include <vector>

namespace natkit::natclassify {

/// Only where a call is shown whole its way is asked for.
void Page::on_call(const diagnose::Diagnosis& diagnosis, const diagnose::CallFacts& facts,
                   const explain::RtpStreams& rtp, const explain::Rules& rules) {
    std::vector<explain::MediaPath> paths;
    if (report_.shows_whole(diagnosis)) {
        paths = explain::find_paths(hops_.around(diagnosis.call_id), rtp, rules);
        std::erase_if(paths, [&](const explain::MediaPath& path) {
            return std::ranges::find(path.call_ids, diagnosis.call_id) == path.call_ids.end();
        });
    }
    report_.add(diagnosis, facts, paths);
}

}  // namespace natkit::natclassify
