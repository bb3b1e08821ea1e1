// Lies to devices that join and to those that approve them; accounts of the service's own.
#include <algorithm>
#include <mutex>

#include "crypto/hash.h"
#include "hostile/attack_parts.h"
#include "vault/format.h"

namespace holdfast::hostile {
namespace {

// An account of the service's own, in which it holds every key. `person`: a recovery key that it
// has seen in the real account stands in it, capsule and all.
Page own_account(const std::optional<circle::RecoveryInfo>& person) {
  testkit::CircleMaker maker(ghost());
  if (person) {
    circle::SetRecovery body;
    body.recovery = *person;
    body.epoch = maker.same_epoch(circle::reader_slots(circle::reader_id(*person)));
    maker.append(body, ghost());
  }
  return maker.statements();
}

void show_from(const Page& all, std::uint64_t from, Page& page) {
  page.assign(all.begin() + static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(from, all.size())),
              all.end());
}

// The same account each time it is asked for.
Lies show_account(std::function<Page(Honest&)> make) {
  struct Made {
    std::mutex mutex;
    Page all;
  };
  Lies lies;
  lies.circle = [make = std::move(make), made = std::make_shared<Made>()](
                    Honest& honest, std::uint64_t from, Page& page) {
    const std::lock_guard lock(made->mutex);
    if (made->all.empty()) made->all = make(honest);
    show_from(made->all, from, page);
  };
  return lies;
}

Lies account_of_its_own() {
  return show_account([](Honest&) { return own_account(std::nullopt); });
}

// Devices that have a past ask from its end on; they are told the truth.
Lies account_of_its_own_to_newcomers() {
  Lies lies = account_of_its_own();
  lies.circle = [lie = lies.circle](Honest& honest, std::uint64_t from, Page& page) {
    if (from == 0) lie(honest, from, page);
  };
  return lies;
}

Lies account_around_the_recovery_key() {
  return show_account(
      [](Honest& honest) { return own_account(circle_of(honest).recovery()->info); });
}

Bytes with_any_mac(Bytes body) {
  return wire::encode(vault::Authenticated{std::move(body), crypto::sha256(as_bytes("any"))});
}

// Alters a message of an admission that is there.
Lies alter_message(api::JoinMessage which, std::function<void(Bytes&)> alter) {
  Lies lies;
  lies.join = [=, alter = std::move(alter)](const Lies::Join& join, Result<Bytes>& message) {
    if (join.second != which || !message.ok()) return;
    Bytes bytes = std::move(message).value();
    alter(bytes);
    message = std::move(bytes);
  };
  return lies;
}

// The service's own keys in the place of the new device's.
void with_ghost_keys(Bytes& bytes) {
  auto outer = sure(wire::decode<vault::Authenticated>(bytes));
  auto request = sure(wire::decode<vault::JoinRequest>(outer.body));
  request.device.verify_key = ghost().info.verify_key;
  request.device.wrap_key = ghost().info.wrap_key;
  outer.body = wire::encode(request);
  bytes = wire::encode(outer);
}

// "This is your circle": one that the service made.
void with_own_circle(Bytes& bytes) {
  auto answer =
      sure(wire::decode<vault::JoinAnswer>(sure(wire::decode<vault::Authenticated>(bytes)).body));
  answer.circle = testkit::CircleMaker(ghost()).circle().id();
  bytes = with_any_mac(wire::encode(answer));
}

Lies other_admission() {
  Lies lies;
  lies.admission = [](Result<api::Visitor::Admitted>& admitted) {
    if (!admitted.ok()) return;
    auto shown = std::move(admitted).value();
    shown.mac[0] ^= 1;
    admitted = std::move(shown);
  };
  return lies;
}

// Keeps all messages of admissions, takes no answer to them, and shows them again for ever.
struct Kept {
  std::mutex mutex;
  std::map<Lies::Join, Bytes> messages;
};

Lies replayed_admission() {
  const auto kept = std::make_shared<Kept>();
  Lies lies;
  lies.keeps_joins = true;
  lies.ignore_join = [kept](const Lies::Join& join, BytesView message) {
    const std::lock_guard lock(kept->mutex);
    return !kept->messages.try_emplace(join, to_bytes(message)).second;
  };
  lies.join = [kept](const Lies::Join& join, Result<Bytes>& message) {
    const std::lock_guard lock(kept->mutex);
    const auto known = kept->messages.find(join);
    if (known != kept->messages.end()) message = Bytes(known->second);
  };
  lies.joins = [kept](std::vector<RequestId>& requests) {
    const std::lock_guard lock(kept->mutex);
    for (const auto& [join, bytes] : kept->messages)
      if (std::ranges::count(requests, join.first) == 0) requests.push_back(join.first);
  };
  return lies;
}

// The same request under a new id each time it is asked for, so that no count of tries holds.
Lies renamed_requests() {
  const auto kept = std::make_shared<Kept>();
  const auto real = std::make_shared<std::map<RequestId, RequestId>>();
  Lies lies;
  lies.joins = [=](std::vector<RequestId>& requests) {
    const std::lock_guard lock(kept->mutex);
    for (RequestId& request : requests) {
      const Digest name = crypto::sha256(wire::encode_array(request, real->size()));
      const RequestId shown = *RequestId::from(name.view().first(RequestId::kSize));
      real->emplace(shown, request);
      request = shown;
    }
  };
  lies.ignore_join = [=](const Lies::Join& join, BytesView message) {
    const std::lock_guard lock(kept->mutex);
    kept->messages.try_emplace(join, to_bytes(message));
    return false;
  };
  lies.join = [=](const Lies::Join& join, Result<Bytes>& message) {
    const std::lock_guard lock(kept->mutex);
    const auto request = real->find(join.first);
    if (request == real->end()) return;
    const auto known = kept->messages.find({request->second, join.second});
    if (known != kept->messages.end()) message = Bytes(known->second);
  };
  return lies;
}

}  // namespace

const AttackTable& admission_attacks() {
  static const AttackTable all = {
      {"account-of-its-own", account_of_its_own},
      {"account-of-its-own-to-newcomers", account_of_its_own_to_newcomers},
      {"account-around-the-recovery-key", account_around_the_recovery_key},
      {"answer-of-its-own",
       [] { return alter_message(api::JoinMessage::kAnswer, with_own_circle); }},
      {"request-with-its-keys",
       [] { return alter_message(api::JoinMessage::kRequest, with_ghost_keys); }},
      {"other-admission", other_admission},
      {"replayed-admission", replayed_admission},
      {"renamed-requests", renamed_requests},
  };
  return all;
}

}  // namespace holdfast::hostile
