//! The allocator alone.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;

fn pages(count: usize) -> Pages {
    let region = Region::reserve(64 * PAGE_BYTES + count * PAGE_BYTES * 2).unwrap();
    let control: &'static [PageControl] = region.slice(0, 1);
    let desc_offset = 8 * PAGE_BYTES;
    let offset = (desc_offset + Pages::desc_bytes(count)).next_multiple_of(PAGE_BYTES);
    Pages::new(region, &control[0], desc_offset, offset, count, 40)
}

fn take(pages: &Pages, size: usize, limit: usize) -> Option<BlockId> {
    let block = pages.allocate(class_of(size)?, limit)?;
    refword::publish(pages.ref_word(block)?, false, 1);
    Some(block)
}

fn put(pages: &Pages, block: BlockId) {
    assert_eq!(
        refword::release(pages.ref_word(block).unwrap()),
        refword::Released::Freed
    );
    pages.hint_freed(block);
}

/// An extent keeps its size for ever; that must not leave others without any.
#[test]
fn a_flood_of_one_size_leaves_room_for_all_others() {
    for octets in [1 << 20, 64 << 20] {
        for flood in [0, 5, CLASSES - 1] {
            let pages = pages(Pages::area_for(octets));
            let mut taken = 0;
            while take(&pages, class_size(flood), usize::MAX).is_some() {
                taken += class_size(flood);
            }
            assert!(
                taken > octets * 9 / 10,
                "{taken} of {octets}, class {flood}"
            );
            for class in (0..CLASSES).filter(|&class| class != flood) {
                let mut taken = 0;
                while take(&pages, class_size(class), usize::MAX).is_some() {
                    taken += class_size(class);
                }
                let share = (octets / SHARES).max(EXTENT_PAGES * PAGE_BYTES);
                assert!(
                    taken >= share * 7 / 10,
                    "{taken} of {share}, class {class} after {flood}"
                );
            }
            let pages_before = pages
                .control
                .extents
                .each_ref()
                .map(|count| count.load(Ordering::Relaxed));
            pages.rebuild(|_| true);
            let counted = pages
                .control
                .extents
                .each_ref()
                .map(|count| count.load(Ordering::Relaxed));
            assert_eq!(counted, pages_before);
        }
    }
}

#[test]
fn classes_cover_all_sizes() {
    for size in 1..=MAX_BLOCK {
        let class = class_of(size).unwrap();
        assert!(class_size(class) >= size && class < CLASSES);
        assert!(class == 0 || class_size(class - 1) < size.max(MIN_BLOCK));
        assert!(class_size(class).is_multiple_of(BLOCK_UNIT));
        assert!(blocks_per_unit(class) <= 64);
    }
    assert_eq!(class_of(MAX_BLOCK + 1), None);
}

#[test]
fn blocks_do_not_overlap_and_memory_comes_back() {
    let pages = pages(Pages::area_for(2 << 20));
    let limit = 400 * PAGE_BYTES;
    let mut blocks = Vec::new();
    for size in [64, 96, 100, 500, 700, 3000, 5000, 20000]
        .iter()
        .cycle()
        .take(200)
    {
        let block = take(&pages, *size, limit).unwrap();
        blocks.push((block as usize * BLOCK_UNIT, *size, block));
    }
    blocks.sort_unstable();
    for pair in blocks.windows(2) {
        assert!(pair[0].0 + pair[0].1 <= pair[1].0, "{pair:?}");
    }
    let full = pages.used_bytes();
    assert!(full <= limit);
    for (_, _, block) in &blocks {
        put(&pages, *block);
        pages.take_hints();
    }
    pages.release_empty(usize::MAX);
    assert_eq!(pages.control.committed.load(Ordering::Relaxed), 0);
}

#[test]
fn the_limit_holds() {
    let pages = pages(Pages::area_for(2 << 20));
    let limit = 20 * PAGE_BYTES;
    let mut count = 0;
    while take(&pages, 96, limit).is_some() {
        count += 1;
        assert!(pages.used_bytes() <= limit);
    }
    assert!(count > 18 * 42, "{count}");
}

#[test]
fn lost_hints_are_found_by_a_sweep() {
    let pages = pages(Pages::area_for(2 << 20));
    let blocks: Vec<_> = (0..1000)
        .map(|_| take(&pages, 64, usize::MAX).unwrap())
        .collect();
    for block in &blocks {
        put(&pages, *block);
    }
    pages.take_hints();
    let mut steps = 0;
    while pages.sweep_lost(1) {
        steps += 1;
    }
    assert!(steps > 0);
    pages.release_empty(usize::MAX);
    assert_eq!(pages.control.committed.load(Ordering::Relaxed), 0);
}

#[test]
fn rebuild_recovers_lists_and_counts() {
    let pages = pages(Pages::area_for(2 << 20));
    let blocks: Vec<_> = (0..300)
        .map(|_| take(&pages, 96, usize::MAX).unwrap())
        .collect();
    for block in blocks.iter().step_by(2) {
        put(&pages, *block);
    }
    let before = pages.used_bytes();
    pages.rebuild(|_| true);
    assert_eq!(pages.used_bytes(), before);
    let mut alive = 0;
    for extent in 1..pages.extent_end() {
        pages.for_each_block(extent, |_, _| alive += 1);
    }
    assert_eq!(alive, 150);
    for _ in 0..150 {
        let block = take(&pages, 96, usize::MAX).unwrap();
        assert!(blocks.iter().step_by(2).any(|b| *b == block) || !blocks.contains(&block));
    }
}
