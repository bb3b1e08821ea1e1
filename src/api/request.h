// The proof that a request comes from a member: its signature. docs/formats/api.md
//
// The service refuses a time more than five minutes from its own and a nonce that it has seen, so
// whoever records a request (a TLS-terminating box, a log) cannot send it again.
#pragma once

#include "base/clock.h"
#include "base/id.h"
#include "crypto/sign.h"
#include "wire/fields.h"

namespace holdfast::api {

constexpr TimeMs kRequestWindowMs = 5 * 60 * 1000;

using Nonce = Id<struct NonceTag, 16>;

// What the network shows of a request, and the service's own key: a proof made for one service is
// void at another.
struct RequestLine {
  Bytes tls_pin;       // SHA-256 of the service's public TLS key (SubjectPublicKeyInfo)
  std::string method;  // "GET"
  std::string target;  // path and query, as sent
};

// The value of the Authorization header: "Holdfast " and the hexadecimal of this.
struct RequestProof {
  wire::Fixed<"holdfast/v1/request-proof"> label;
  std::string account;
  ReaderId caller;
  Digest body;               // SHA-256 of the request's body
  std::int64_t time_ms = 0;  // by the service's clock, as far as the device knows it
  Nonce nonce;               // random
  crypto::Signature signature{};
  static constexpr auto kFields = wire::fields(
      &RequestProof::label, &RequestProof::account, &RequestProof::caller, &RequestProof::body,
      &RequestProof::time_ms, &RequestProof::nonce, &RequestProof::signature);
};

// What is signed.
Bytes request_bytes(const RequestProof& proof, const RequestLine& line);
// Fills proof.signature.
void sign_request(RequestProof& proof, const RequestLine& line, const crypto::SigningKey& key);
bool verify_request(const RequestProof& proof, const RequestLine& line,
                    const crypto::VerifyKey& key);

}  // namespace holdfast::api
