// Lies about the circle: statements that are altered, forged or left out.
#include "crypto/hash.h"
#include "hostile/attack_parts.h"

namespace holdfast::hostile {
namespace {

template <class Body>
void alter_body(circle::Statement& statement, const std::function<void(Body&)>& alter) {
  auto body = sure(wire::decode<Body>(statement.body));
  alter(body);
  statement.body = wire::encode(body);
}

// Every statement of a type.
Lies alter_statements(circle::StatementType type, Alter alter) {
  Lies lies;
  lies.circle = [=, alter = std::move(alter)](Honest&, std::uint64_t, Page& page) {
    for (Bytes& item : page)
      item = altered(item, [&](circle::Statement& statement) {
        if (statement.type == type) alter(statement);
      });
  };
  return lies;
}

template <class Body>
Lies alter_bodies(circle::StatementType type, std::function<void(Body&)> alter) {
  return alter_statements(type, [alter = std::move(alter)](circle::Statement& statement) {
    alter_body<Body>(statement, alter);
  });
}

circle::Draft ghost_admission(Honest& honest, const Circle& circle) {
  circle::Admit body;
  body.device = ghost().info;
  body.request = crypto::sha256(as_bytes("a request that nobody made"));
  body.countersignature = ghost().key->sign(
      circle::kAdmissionLabel, circle::admission_bytes(circle.id(), body.request, ghost().id));
  body.epoch = standing_epoch(honest, circle, 1);
  return next_draft(circle, StatementType::kAdmit, wire::encode(body));
}

circle::Draft ghost_admission_by_itself(Honest& honest, const Circle& circle) {
  circle::Draft draft = ghost_admission(honest, circle);
  draft.signer = ghost().id;
  return draft;
}

circle::Draft ghost_vault(Honest& honest, const Circle& circle) {
  circle::SetVault body;
  body.vault = testkit::vault_id("planted");
  body.name = "planted";
  body.epoch = standing_epoch(honest, circle, 3);
  return next_draft(circle, StatementType::kSetVault, wire::encode(body));
}

circle::Draft ghost_recovery(Honest& honest, const Circle& circle) {
  circle::SetRecovery body;
  body.recovery = testkit::make_recovery("ghost").info;
  body.epoch = standing_epoch(honest, circle, 1);
  ++body.epoch.epoch;
  return next_draft(circle, StatementType::kSetRecovery, wire::encode(body));
}

circle::Draft ghost_rotation(Honest& honest, const Circle& circle) {
  const std::size_t blobs =
      circle::epoch_slots(circle.vaults(), circle.readers(), circle.vault_readers()).size();
  circle::Rotate body{standing_epoch(honest, circle, blobs)};
  ++body.epoch.epoch;
  return next_draft(circle, StatementType::kRotate, wire::encode(body));
}

// A statement of a type that is reserved for later versions.
circle::Draft newer_statement(Honest&, const Circle& circle) {
  return next_draft(circle, StatementType::kGrantWeb, {0x80});
}

Lies newer_suite() {
  return add_statement([](Honest&, const Circle& circle) {
    const auto draft = next_draft(circle, StatementType::kSetRegion, {});
    const Bytes bytes = wire::encode(circle::sign_statement(draft, *ghost().key));
    return altered(bytes, [](circle::Statement& statement) { statement.suite = 2; });
  });
}

// The label is text inside: the same length, so that only the version differs.
Bytes older_label(Bytes bytes) {
  const std::string_view label = "holdfast/v1/";
  const auto at = std::search(bytes.begin(), bytes.end(), label.begin(), label.end());
  if (at != bytes.end()) at[10] = '0';
  return bytes;
}

Lies older_format() {
  return add_statement([](Honest&, const Circle& circle) {
    const auto draft = next_draft(circle, StatementType::kSetRegion, {});
    return older_label(wire::encode(circle::sign_statement(draft, *ghost().key)));
  });
}

Lies without_newest_statement() {
  Lies lies;
  lies.circle = [](Honest& honest, std::uint64_t from, Page& page) {
    if (from + page.size() == circle_of(honest).seq() + 1 && !page.empty()) page.pop_back();
  };
  return lies;
}

}  // namespace

const AttackTable& statement_attacks() {
  static const AttackTable all = {
      {"epoch-check",
       [] {
         return alter_bodies<circle::Rotate>(
             StatementType::kRotate, [](circle::Rotate& body) { body.epoch.check.bytes[0] ^= 1; });
       }},
      {"epoch-envelopes",
       [] {
         return alter_bodies<circle::Rotate>(StatementType::kRotate, [](circle::Rotate& body) {
           std::swap(body.epoch.blobs[1], body.epoch.blobs[2]);
         });
       }},
      {"device-key",
       [] {
         return alter_bodies<circle::Admit>(StatementType::kAdmit, [](circle::Admit& body) {
           body.device.wrap_key = ghost().info.wrap_key;
         });
       }},
      {"newer-suite", newer_suite},
      {"older-format", older_format},
      {"newer-statement", [] { return forge_statement(newer_statement); }},
      {"ghost-device", [] { return forge_statement(ghost_admission); }},
      {"ghost-device-by-itself", [] { return forge_statement(ghost_admission_by_itself); }},
      {"ghost-vault", [] { return forge_statement(ghost_vault); }},
      {"ghost-recovery-key", [] { return forge_statement(ghost_recovery); }},
      {"ghost-epoch", [] { return forge_statement(ghost_rotation); }},
      {"name-of-a-device",
       [] {
         return alter_bodies<circle::Admit>(StatementType::kAdmit, [](circle::Admit& body) {
           body.device.name = "laptop of mine";
         });
       }},
      {"name-of-a-vault",
       [] {
         return alter_bodies<circle::SetVault>(StatementType::kSetVault,
                                               [](circle::SetVault& body) { body.name = "other"; });
       }},
      {"without-newest-statement", without_newest_statement},
  };
  return all;
}

}  // namespace holdfast::hostile
