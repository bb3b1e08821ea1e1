#include "support/failing_module.h"

#include <dlfcn.h>

#include <cstdlib>
#include <cstring>
// Last: it defines short names as macros.
#include <p11-kit/pkcs11.h>

using holdfast::testkit::TokenTrouble;

namespace {

CK_FUNCTION_LIST* real = nullptr;
CK_FUNCTION_LIST ours;

TokenTrouble& trouble() {
  static TokenTrouble now;
  return now;
}

template <class Run>
CK_RV through(const char* call, const Run& run) {
  TokenTrouble& now = trouble();
  if (now.times <= 0 || std::strcmp(now.call, call) != 0) return run();
  --now.times;
  if (now.after) static_cast<void>(run());
  return now.code;
}

CK_RV login(CK_SESSION_HANDLE s, CK_USER_TYPE who, CK_UTF8CHAR_PTR pin, CK_ULONG size) {
  return through("C_Login", [&] { return real->C_Login(s, who, pin, size); });
}
CK_RV find(CK_SESSION_HANDLE s, CK_ATTRIBUTE_PTR what, CK_ULONG count) {
  return through("C_FindObjectsInit", [&] { return real->C_FindObjectsInit(s, what, count); });
}
CK_RV generate(CK_SESSION_HANDLE s, CK_MECHANISM_PTR how, CK_ATTRIBUTE_PTR what, CK_ULONG count,
               CK_OBJECT_HANDLE_PTR made) {
  return through("C_GenerateKey", [&] { return real->C_GenerateKey(s, how, what, count, made); });
}
CK_RV encrypt(CK_SESSION_HANDLE s, CK_BYTE_PTR in, CK_ULONG size, CK_BYTE_PTR out,
              CK_ULONG_PTR made) {
  return through("C_Encrypt", [&] { return real->C_Encrypt(s, in, size, out, made); });
}
CK_RV destroy(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE object) {
  return through("C_DestroyObject", [&] { return real->C_DestroyObject(s, object); });
}

}  // namespace

extern "C" TokenTrouble* token_trouble() { return &trouble(); }

extern "C" CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR list) {
  const char* const path = std::getenv("HF_REAL_MODULE");
  void* const module = path != nullptr ? ::dlopen(path, RTLD_NOW | RTLD_NODELETE) : nullptr;
  if (module == nullptr) return CKR_GENERAL_ERROR;
  const auto get = reinterpret_cast<CK_C_GetFunctionList>(::dlsym(module, "C_GetFunctionList"));
  if (get == nullptr || get(&real) != CKR_OK) return CKR_GENERAL_ERROR;
  ours = *real;
  ours.C_Login = login;
  ours.C_FindObjectsInit = find;
  ours.C_GenerateKey = generate;
  ours.C_Encrypt = encrypt;
  ours.C_DestroyObject = destroy;
  *list = &ours;
  return CKR_OK;
}
