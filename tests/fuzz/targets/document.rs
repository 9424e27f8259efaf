#![no_main]
#![expect(missing_docs, reason = "cargo-fuzz makes the program's entry")]

libfuzzer_sys::fuzz_target!(|data: &[u8]| septet_fuzz::document(data));
