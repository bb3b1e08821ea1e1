#include "store/joins.h"

#include "store/commit.h"
#include "store/layout.h"

namespace holdfast::store {
namespace {

constexpr std::string_view kRequestSuffix = ".request";

std::string_view suffix(api::JoinMessage which) {
  switch (which) {
    case api::JoinMessage::kRequest: return kRequestSuffix;
    case api::JoinMessage::kAnswer: return ".answer";
    case api::JoinMessage::kCounter: return ".counter";
  }
  std::abort();
}

}  // namespace

Joins::Joins(std::shared_ptr<Files> files, const std::string& account)
    : files_(std::move(files)), folder_(account_folder(account) + "/joins") {}

std::string Joins::path(const RequestId& request, api::JoinMessage which) const {
  return folder_ + "/" + request.hex() + std::string(suffix(which));
}

Result<void> Joins::put(const RequestId& request, api::JoinMessage which, BytesView message,
                        TimeMs now) {
  if (message.empty() || message.size() > api::kMaxJoinMessage)
    return Error{Code::kInvalid, "a message of an admission is empty or too large"};
  const auto held = TRY(files_->lock());
  const auto open = files_->info(path(request, api::JoinMessage::kRequest));
  if (!open.ok()) {
    if (open.error().code != Code::kNotFound) return open.error();
    if (which != api::JoinMessage::kRequest)
      return Error{Code::kNotFound, "this request to join has ended"};
    TRY(make_room(now));
  }
  auto done = commit(*files_, path(request, which), message);
  if (!done.ok() && done.error().code == Code::kConflict)
    return Error{Code::kConflict, "this message of the admission was written before"};
  return done;
}

Result<Bytes> Joins::get(const RequestId& request, api::JoinMessage which) {
  return files_->get(path(request, which), api::kMaxJoinMessage);
}

Result<std::vector<RequestId>> Joins::list() {
  std::vector<RequestId> requests;
  for (std::string_view name : TRY(files_->list(folder_))) {
    if (!name.ends_with(kRequestSuffix)) continue;
    name.remove_suffix(kRequestSuffix.size());
    if (const auto request = id_of<RequestId>(name)) requests.push_back(*request);
  }
  return requests;
}

// Expired requests go only when a new one needs their place.
Result<void> Joins::make_room(TimeMs now) {
  const auto requests = TRY(list());
  if (requests.size() < api::kMaxOpenJoins) return Ok{};
  std::size_t left = requests.size();
  for (const RequestId& request : requests) {
    const auto info = files_->info(path(request, api::JoinMessage::kRequest));
    if (!info.ok() || now - info->modified_ms < kJoinLifeMs) continue;
    TRY(remove(request));
    --left;
  }
  if (left < api::kMaxOpenJoins) return Ok{};
  return Error{Code::kUnavailable, "too many requests to join are waiting; drop some first"};
}

// The request itself goes last: until then a drop that was cut short can be repeated.
Result<void> Joins::remove(const RequestId& request) {
  TRY(files_->remove(path(request, api::JoinMessage::kAnswer)));
  TRY(files_->remove(path(request, api::JoinMessage::kCounter)));
  return files_->remove(path(request, api::JoinMessage::kRequest));
}

Result<void> Joins::drop(const RequestId& request) {
  const auto held = TRY(files_->lock());
  return remove(request);
}

}  // namespace holdfast::store
