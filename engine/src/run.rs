//! One invocation.

use std::rc::Rc;

use soroban_env_host::budget::Budget;
use soroban_env_host::e2e_invoke::{
    entry_size_for_rent, invoke_host_function, invoke_host_function_in_recording_mode, LedgerEntryChange,
    RecordingInvocationAuthMode, TtlLedgerEntryMeta,
};
use soroban_env_host::storage::{EntryWithLiveUntil, Storage};
use soroban_env_host::xdr::{
    AccountId, ContractDataDurability, ContractEvent, DiagnosticEvent, HostFunction, LedgerEntry, LedgerEntryData,
    LedgerKey, Limits, ReadXdr, ScError, ScVal, SorobanAuthorizationEntry, SorobanResources, WriteXdr,
};
use soroban_env_host::{Host, HostError, LedgerInfo, ModuleCache};

use crate::answer::{Answer, Change};
use crate::caller::Caller;
use crate::request::{Ledger, Mode, Request};

/// Carry a request out; an error is a request that cannot be, a contract's failure is part of the answer.
pub fn run(request: &Request, caller: &Rc<Caller>) -> Result<Answer, String> {
    let budget = Budget::default();
    let mut diagnostics = Vec::new();
    let mut answer = if request.mode == Mode::Apply {
        apply(request, caller, &budget, &mut diagnostics)?
    } else {
        record(request, caller, &budget, &mut diagnostics)?
    };
    answer.diagnostics = diagnostics.iter().map(encoded).collect::<Result<_, _>>()?;
    answer.instructions = budget.get_cpu_insns_consumed().map_err(text)?;
    answer.memory_bytes = budget.get_mem_bytes_consumed().map_err(text)?;
    Ok(answer)
}

fn record(
    request: &Request,
    caller: &Rc<Caller>,
    budget: &Budget,
    diagnostics: &mut Vec<DiagnosticEvent>,
) -> Result<Answer, String> {
    let auth = match request.mode {
        Mode::RecordEnforced => RecordingInvocationAuthMode::Enforcing(
            request.auth.iter().map(|entry| decoded(entry)).collect::<Result<_, _>>()?,
        ),
        mode => RecordingInvocationAuthMode::recording(mode == Mode::Record, request.address_v2),
    };
    let recorded = invoke_host_function_in_recording_mode(
        budget,
        true,
        &decoded(&request.function)?,
        &decoded(&request.source)?,
        auth,
        ledger_info(&request.ledger)?,
        caller.clone(),
        bytes32(&request.seed)?,
        diagnostics,
    );
    let recorded = match recorded {
        Ok(recorded) => recorded,
        Err(error) => return failed(&error),
    };
    let value = match &recorded.invoke_result {
        Ok(value) => encoded(value)?,
        Err(error) => return failed(error),
    };
    Ok(Answer {
        value: Some(value),
        events: recorded.contract_events.iter().map(encoded).collect::<Result<_, _>>()?,
        auth: recorded.auth.iter().map(encoded).collect::<Result<_, _>>()?,
        resources: encoded(&recorded.resources)?,
        changes: changes(&recorded.ledger_changes)?,
        ..Answer::default()
    })
}

fn apply(
    request: &Request,
    caller: &Rc<Caller>,
    budget: &Budget,
    diagnostics: &mut Vec<DiagnosticEvent>,
) -> Result<Answer, String> {
    let resources: SorobanResources = decoded(&request.resources)?;
    let footprint = resources.footprint.read_only.iter().chain(resources.footprint.read_write.iter());
    let mut found: Vec<_> = footprint.map(|key| caller.entry(key)).collect::<Result<_, String>>()?;
    let restored = restore(&resources, &mut found, &request.ledger);
    let in_order: Vec<_> = found.into_iter().map(|entry| with_ttl(entry, budget)).collect::<Result<_, String>>()?;
    let auth: Vec<Vec<u8>> = request
        .auth
        .iter()
        .map(|entry| decoded::<SorobanAuthorizationEntry>(entry).and_then(|entry| raw(&entry)))
        .collect::<Result<_, _>>()?;
    let modules = modules(&in_order, request.ledger.protocol)?;
    let done = invoke_host_function(
        budget,
        true,
        raw(&decoded::<HostFunction>(&request.function)?)?,
        raw(&resources)?,
        &restored,
        raw(&decoded::<AccountId>(&request.source)?)?,
        auth.into_iter(),
        ledger_info(&request.ledger)?,
        in_order.into_iter(),
        bytes32(&request.seed)?.to_vec(),
        diagnostics,
        None,
        Some(modules),
    );
    let done = match done {
        Ok(done) => done,
        Err(error) => return failed(&error),
    };
    let value = match &done.encoded_invoke_result {
        Ok(value) => encoded(&ScVal::from_xdr(value, Limits::none()).map_err(text)?)?,
        Err(error) => return failed(error),
    };
    let mut events = Vec::new();
    for event in &done.encoded_contract_events {
        events.push(encoded(&ContractEvent::from_xdr(event, Limits::none()).map_err(text)?)?);
    }
    Ok(Answer { value: Some(value), events, changes: changes(&done.ledger_changes)?, ..Answer::default() })
}

/// Let read-write entries that have run out live again for the least time, and return which those are.
///
/// A network does so for the indices that a transaction names; the caller's transactions name none.
fn restore(resources: &SorobanResources, found: &mut [Option<EntryWithLiveUntil>], ledger: &Ledger) -> Vec<u32> {
    let written = &mut found[resources.footprint.read_only.len()..];
    let mut restored = Vec::new();
    for (at, (key, entry)) in (0_u32..).zip(resources.footprint.read_write.iter().zip(written)) {
        let temporary =
            matches!(key, LedgerKey::ContractData(data) if data.durability == ContractDataDurability::Temporary);
        if let Some((_, Some(live_until))) = entry {
            if *live_until < ledger.sequence && !temporary {
                *live_until = ledger.sequence + ledger.min_persistent_ttl - 1;
                restored.push(at);
            }
        }
    }
    restored
}

/// The contracts among these entries, parsed: a network keeps all its contracts so, and no call pays for it.
fn modules(entries: &[Encoded], protocol: u32) -> Result<ModuleCache, String> {
    let host = Host::with_storage_and_budget(Storage::default(), Budget::default());
    let cache = ModuleCache::new(&host).map_err(text)?;
    for content in entries.iter().filter_map(|(content, _)| content.as_ref()) {
        let entry = LedgerEntry::from_xdr(content, Limits::none()).map_err(text)?;
        if let LedgerEntryData::ContractCode(code) = entry.data {
            cache.parse_and_cache_module_simple(&host, protocol, &code.code).map_err(text)?;
        }
    }
    Ok(cache)
}

type Encoded = (Option<Vec<u8>>, Option<TtlLedgerEntryMeta>);

fn with_ttl(entry: Option<EntryWithLiveUntil>, budget: &Budget) -> Result<Encoded, String> {
    let Some((entry, live_until)) = entry else { return Ok((None, None)) };
    let content = raw(entry.as_ref())?;
    let size = entry_size_for_rent(budget, &entry, content.len() as u32).map_err(text)?;
    let ttl = live_until.map(|live_until_ledger| TtlLedgerEntryMeta { live_until_ledger, entry_size_for_rent: size });
    Ok((Some(content), ttl))
}

fn changes(found: &[LedgerEntryChange]) -> Result<Vec<Change>, String> {
    found
        .iter()
        .map(|change| {
            let key = LedgerKey::from_xdr(&change.encoded_key, Limits::none()).map_err(text)?;
            let entry = match &change.encoded_new_value {
                Some(value) => Some(encoded(&LedgerEntry::from_xdr(value, Limits::none()).map_err(text)?)?),
                None => None,
            };
            let live_until = change.ttl_change.as_ref().map(|ttl| ttl.new_live_until_ledger);
            Ok(Change { key: encoded(&key)?, read_only: change.read_only, entry, live_until })
        })
        .collect()
}

fn failed(error: &HostError) -> Result<Answer, String> {
    let code: ScError = error.error.try_into().map_err(text)?;
    Ok(Answer { error: Some(encoded(&code)?), error_text: error.to_string(), ..Answer::default() })
}

fn ledger_info(ledger: &Ledger) -> Result<LedgerInfo, String> {
    Ok(LedgerInfo {
        protocol_version: ledger.protocol,
        sequence_number: ledger.sequence,
        timestamp: ledger.timestamp,
        network_id: bytes32(&ledger.network_id)?,
        base_reserve: ledger.base_reserve,
        min_temp_entry_ttl: ledger.min_temporary_ttl,
        min_persistent_entry_ttl: ledger.min_persistent_ttl,
        max_entry_ttl: ledger.max_ttl,
    })
}

fn bytes32(hexadecimal: &str) -> Result<[u8; 32], String> {
    let mut bytes = [0_u8; 32];
    if hexadecimal.len() != 64 || !hexadecimal.is_ascii() {
        return Err("32 bytes in hexadecimal are needed".to_owned());
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hexadecimal[2 * at..2 * at + 2], 16).map_err(text)?;
    }
    Ok(bytes)
}

fn decoded<T: ReadXdr>(base64: &str) -> Result<T, String> {
    T::from_xdr_base64(base64, Limits::none()).map_err(text)
}

fn encoded<T: WriteXdr>(value: &T) -> Result<String, String> {
    value.to_xdr_base64(Limits::none()).map_err(text)
}

fn raw<T: WriteXdr>(value: &T) -> Result<Vec<u8>, String> {
    value.to_xdr(Limits::none()).map_err(text)
}

fn text(problem: impl std::fmt::Display) -> String {
    problem.to_string()
}
