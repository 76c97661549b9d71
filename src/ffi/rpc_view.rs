//! How entries look in RPC replies: the fields and their order are fixed.

use std::ffi::CStr;

use super::rpc_call::{Call, Part, ReplyFailed};
use crate::cache::{Cache, EntryRef, RecordView};
use crate::host::clock;
use crate::rr::RecordType;

pub(crate) fn type_name(rtype: RecordType) -> &'static str {
    if rtype.is_link() {
        // The entry is the result of a walk of the search list, for addresses of either family or for one type.
        return rtype.linked().map_or("A+AAAA", type_name);
    }
    RecordType::KEPT
        .iter()
        .find(|(number, _)| *number == rtype)
        .map_or("unknown", |(_, name)| name)
}

/// The type of a name: upper or lower case, with or without `T_` in front.
pub(crate) fn type_number(name: &[u8]) -> Option<RecordType> {
    let bare = match name {
        [b't' | b'T', b'_', rest @ ..] => rest,
        _ => name,
    };
    RecordType::KEPT
        .iter()
        .find(|(_, text)| text.as_bytes().eq_ignore_ascii_case(bare))
        .map(|(number, _)| *number)
}

fn yes_no(value: bool) -> &'static [u8] {
    if value { b"yes" } else { b"no" }
}

/// Seconds left, -1 when over.
fn seconds_left(expire: u32, now: u32) -> i32 {
    if clock::is_past(expire, now) {
        -1
    } else {
        clock::seconds_until(expire, now)
    }
}

/// Seconds left of an entry or record as replies show it: 0 for permanent ones.
fn shown_expiry(entry: &EntryRef, expire: u32, now: u32) -> i32 {
    if entry.is_permanent() {
        0
    } else {
        seconds_left(expire, now)
    }
}

fn idle_seconds(entry: &EntryRef, now: u32) -> i32 {
    clock::seconds_until(now, entry.last_used()).max(0)
}

fn flags(entry: &EntryRef) -> i32 {
    i32::from(entry.negative().is_some()) | i32::from(entry.is_permanent()) << 1
}

fn size(entry: &EntryRef) -> i32 {
    entry.size_bytes().min(i32::MAX as usize) as i32
}

/// The reference of the walk that shows the entry, which is not there once the reply is read.
const WALKER: i32 = 1;

/// A struct for one entry met on a walk through the cache.
pub(crate) fn walked_entry(call: &Call, entry: &EntryRef) -> Result<(), ReplyFailed> {
    describe(call, entry, entry.reference_count() - WALKER)
}

/// A struct for the entry that a lookup gave; the lookup's own reference counts.
pub(crate) fn entry(call: &Call, entry: &EntryRef) -> Result<(), ReplyFailed> {
    describe(call, entry, entry.reference_count())
}

fn describe(call: &Call, entry: &EntryRef, references: i32) -> Result<(), ReplyFailed> {
    let now = clock::now_ticks();
    let part = call.add_struct()?;
    call.field_text(part, c"name", entry.name())?;
    call.field_text(part, c"type", type_name(entry.rtype()).as_bytes())?;
    call.field_int(part, c"size_bytes", size(entry))?;
    call.field_int(part, c"reference_counter", references)?;
    call.field_text(part, c"permanent", yes_no(entry.is_permanent()))?;
    call.field_int(part, c"expires", shown_expiry(entry, entry.expire(), now))?;
    call.field_int(part, c"last_used", idle_seconds(entry, now))?;
    call.field_text(part, c"negative_entry", yes_no(entry.negative().is_some()))?;
    if let Some(relative) = relative_state(entry) {
        call.field_text(part, c"relative_name", &relative)?;
    }
    if entry.listed_count() == 0 {
        return Ok(());
    }
    let records = call.field_array(part, c"records")?;
    for index in 0..entry.listed_count() {
        let record = call.array_struct(records)?;
        call.field_int(record, c"rr_idx", index as i32)?;
        record_fields(call, record, entry, index)?;
        let expire = entry.record_expire(index).unwrap_or_else(|| entry.expire());
        call.field_text(record, c"rr_permanent", yes_no(entry.is_permanent()))?;
        call.field_int(record, c"rr_expires", shown_expiry(entry, expire, now))?;
    }
    Ok(())
}

/// The meaning of an entry for the relative name, where the relative name is another question than the absolute one.
fn relative_state(entry: &EntryRef) -> Option<Vec<u8>> {
    let list = Cache::instance()?.list_in_force();
    let mark = entry.mark()?;
    let holds = mark.is_edited() || list.is_some_and(|list| mark.is_of(list));
    let told = match (entry.is_relative(), mark.is_edited()) {
        _ if !holds => b"under another search list".to_vec(),
        (true, true) => b"alone, edited".to_vec(),
        (true, false) => match entry.record(0) {
            Some(RecordView::Cname(target)) if target.eq_ignore_ascii_case(entry.name()) => {
                b"found as written".to_vec()
            }
            Some(RecordView::Cname(target)) => [b"found as ", target].concat(),
            _ => b"not found".to_vec(),
        },
        // Without a list both are one.
        (false, _) if list.is_none() => return None,
        (false, true) => b"too, edited".to_vec(),
        (false, false) => b"too, found as written".to_vec(),
    };
    Some(told)
}

fn record_fields(
    call: &Call,
    part: Part,
    entry: &EntryRef,
    index: usize,
) -> Result<(), ReplyFailed> {
    match entry.record(index) {
        Some(RecordView::A(ip)) => call.field_text(part, c"rr_ip", ip.to_string().as_bytes()),
        Some(RecordView::Aaaa(ip)) => call.field_text(part, c"rr_ip", ip.to_string().as_bytes()),
        Some(RecordView::Srv {
            priority,
            weight,
            port,
            target,
        }) => {
            call.field_text(part, c"rr_name", target)?;
            call.field_int(part, c"rr_port", port.into())?;
            call.field_int(part, c"rr_priority", priority.into())?;
            call.field_int(part, c"rr_weight", weight.into())
        }
        Some(naptr @ RecordView::Naptr { .. }) => naptr_fields(call, part, &naptr),
        Some(RecordView::Cname(name) | RecordView::Ptr(name)) => {
            call.field_text(part, c"rr_name", name)
        }
        Some(RecordView::Txt(_)) => {
            let texts = call.field_array(part, c"txt")?;
            for (number, text) in entry.texts(index).into_iter().enumerate() {
                let item = call.array_struct(texts)?;
                call.field_int(item, c"idx", number as i32)?;
                call.field_text(item, c"rr_txt", text)?;
            }
            Ok(())
        }
        Some(RecordView::Ebl {
            position,
            separator,
            apex,
        }) => {
            call.field_int(part, c"rr_position", position.into())?;
            call.field_text(part, c"rr_separator", separator)?;
            call.field_text(part, c"rr_apex", apex)
        }
        None => call.field_text(part, c"rr_type", b"unknown"),
    }
}

fn naptr_fields(call: &Call, part: Part, naptr: &RecordView<'_>) -> Result<(), ReplyFailed> {
    let RecordView::Naptr {
        order,
        preference,
        flags,
        services,
        regexp,
        replacement,
    } = *naptr
    else {
        return Err(ReplyFailed);
    };
    call.field_int(part, c"rr_order", order.into())?;
    call.field_int(part, c"rr_preference", preference.into())?;
    // Progress is kept in handles, never in the record, so no record is ever skipped for all.
    call.field_text(part, c"rr_skip_record", b"no")?;
    call.field_counted(part, c"rr_flags", flags)?;
    call.field_counted(part, c"rr_service", services)?;
    call.field_counted(part, c"rr_regexp", regexp)?;
    call.field_counted(part, c"rr_replacement", replacement)
}

/// `dns.mem_info`. Named fields in one struct: of several plain values some transports keep only the
/// last (B36).
pub(crate) fn memory(call: &Call, usage: crate::cache::Usage) -> Result<(), ReplyFailed> {
    let part = call.add_struct()?;
    call.field_count(part, c"used", usage.used as u64)?;
    call.field_count(part, c"limit", usage.limit as u64)
}

/// `dns.debug`: the entries in numbers.
pub(crate) fn debug(
    call: &Call,
    entries: impl Iterator<Item = EntryRef>,
) -> Result<(), ReplyFailed> {
    let now = clock::now_ticks();
    let whole = call.add_struct()?;
    let list = call.field_array(whole, c"entries")?;
    for entry in entries {
        let part = call.array_struct(list)?;
        numbers(call, part, &entry, now)?;
    }
    Ok(())
}

/// `dns.debug_all`: the records, each with the numbers of its entry.
pub(crate) fn debug_all(
    call: &Call,
    entries: impl Iterator<Item = EntryRef>,
) -> Result<(), ReplyFailed> {
    let now = clock::now_ticks();
    let whole = call.add_struct()?;
    let list = call.field_array(whole, c"records")?;
    for entry in entries {
        for index in 0..entry.listed_count() {
            let part = call.array_struct(list)?;
            numbers(call, part, &entry, now)?;
            call.field_int(part, c"rr_idx", index as i32)?;
            let (tag, value) = tag_and_value(&entry, index);
            call.field_text(part, tag, &value)?;
            let expire = entry.record_expire(index).unwrap_or_else(|| entry.expire());
            call.field_int(part, c"rr_expires", seconds_left(expire, now))?;
        }
    }
    Ok(())
}

/// The fields of an entry that both debug commands tell.
fn numbers(call: &Call, part: Part, entry: &EntryRef, now: u32) -> Result<(), ReplyFailed> {
    call.field_text(part, c"name", entry.name())?;
    call.field_int(part, c"type", entry.rtype().0.into())?;
    call.field_int(part, c"size_bytes", size(entry))?;
    call.field_int(part, c"reference_counter", entry.reference_count() - WALKER)?;
    call.field_int(part, c"expires", seconds_left(entry.expire(), now))?;
    call.field_int(part, c"last_used", idle_seconds(entry, now))?;
    call.field_int(part, c"flags", flags(entry))
}

fn tag_and_value(entry: &EntryRef, index: usize) -> (&'static CStr, Vec<u8>) {
    match entry.record(index) {
        Some(RecordView::A(ip)) => (c"ip", ip.to_string().into_bytes()),
        Some(RecordView::Aaaa(ip)) => (c"ip", ip.to_string().into_bytes()),
        Some(RecordView::Srv { target, .. }) => (c"srv", target.to_vec()),
        Some(RecordView::Naptr {
            flags,
            services,
            regexp,
            replacement,
            ..
        }) => (c"naptr", [flags, services, regexp, replacement].concat()),
        Some(RecordView::Cname(name)) => (c"cname", name.to_vec()),
        Some(RecordView::Txt(text)) => (c"txt", text.to_vec()),
        Some(RecordView::Ebl { apex, .. }) => (c"ebl", apex.to_vec()),
        Some(RecordView::Ptr(name)) => (c"ptr", name.to_vec()),
        None => (c"unknown", Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_names() {
        assert_eq!(type_number(b"t_aaaa"), Some(RecordType::AAAA));
        assert_eq!(type_number(b"Srv"), Some(RecordType::SRV));
        assert_eq!(type_number(b"T_"), None);
        assert_eq!(type_number(b"NS"), None);
        assert_eq!(type_name(RecordType::EBL), "EBL");
        assert_eq!(type_name(RecordType::NS), "unknown");
    }
}
