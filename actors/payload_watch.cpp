// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/actors/payload_watch.hpp"

namespace crosvisor::actors {

namespace {

int rank_of(payload_status_kind kind) {
  switch (kind) {
    case payload_status_kind::started: return 1;
    case payload_status_kind::ready: return 2;
    case payload_status_kind::finished: return 3;
    case payload_status_kind::error: break;
  }
  return 0;
}

} // namespace

void payload_watch::tell_started(std::vector<payload_news>& news) {
  if (info_.started)
    return;
  info_.started = true;
  news.push_back({vm_event_kind::payload_started, info_});
}

std::vector<payload_news> payload_watch::output_connected() {
  std::vector<payload_news> news;
  tell_started(news);
  return news;
}

payload_watch::step payload_watch::take(const payload_status& line) {
  step result;
  if (line.kind == payload_status_kind::error) {
    if (info_.failed)
      return result;
    info_.failed = true;
    info_.error = line.error;
    return {true, {{vm_event_kind::payload_error, info_}}};
  }
  if (rank_of(line.kind) <= rank_)
    return result;
  rank_ = rank_of(line.kind);
  result.in_order = true;
  tell_started(result.news);
  if (line.kind == payload_status_kind::ready)
    result.news.push_back({vm_event_kind::ready, info_});
  if (line.kind == payload_status_kind::finished) {
    info_.finished = true;
    info_.exit_code = line.exit_code;
    result.news.push_back({vm_event_kind::finished, info_});
  }
  return result;
}

} // namespace crosvisor::actors
