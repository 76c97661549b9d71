//! The library that takes over: opened, and seen to fit, before anything is changed.
#![allow(
    unsafe_code,
    reason = "opens a library and reads what the loader made of it"
)]

use std::ffi::{CStr, CString, OsStr, c_uint, c_void};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::elf::Image;
use crate::names::SHARED_VARIABLES;
use crate::plan::Refusal;

/// The library's name: the interface that this file was written for.
const NAME: &str = "libkamailio_dns.so.0";

/// The library, open.
#[derive(Debug)]
pub(crate) struct Library {
    handle: *mut c_void,
    /// The library's file.
    pub path: PathBuf,
    base: usize,
}

/// Text of the loader's last error.
fn loader_error() -> String {
    // SAFETY: NULL or a text that is valid until the next call of the loader in this thread.
    let text = unsafe { libc::dlerror() };
    if text.is_null() {
        return "no reason given".to_owned();
    }
    // SAFETY: as above.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_string_lossy().into_owned()
}

/// File and first address of what an address belongs to.
#[must_use]
pub(crate) fn belongs_to(address: *const c_void) -> Option<(PathBuf, usize)> {
    let mut info = std::mem::MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: room for what is written; any address may be asked for.
    if unsafe { libc::dladdr(address, info.as_mut_ptr()) } == 0 {
        return None;
    }
    // SAFETY: dladdr filled it.
    let info = unsafe { info.assume_init() };
    if info.dli_fname.is_null() {
        return None;
    }
    // SAFETY: a NUL-terminated name that lives as long as the file is loaded.
    let name = unsafe { CStr::from_ptr(info.dli_fname) };
    let path = Path::new(OsStr::from_bytes(name.to_bytes())).to_owned();
    Some((path, info.dli_fbase as usize))
}

impl Library {
    /// Opens the library that lies beside this file, else the one that the loader finds.
    ///
    /// # Errors
    /// When there is none that can be opened.
    pub(crate) fn open(own: &Path) -> Result<Self, Refusal> {
        let beside = own.parent().map(|folder| folder.join(NAME));
        let beside = beside.filter(|path| path.exists());
        let name = beside.unwrap_or_else(|| PathBuf::from(NAME));
        let text = CString::new(name.as_os_str().as_bytes()).map_err(|_| "a path with a NUL")?;
        // SAFETY: a NUL-terminated name; what the library does when it is loaded is nothing.
        let handle = unsafe { libc::dlopen(text.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        if handle.is_null() {
            return Err(loader_error());
        }
        let mut library = Self {
            handle,
            path: name,
            base: 0,
        };
        let inside = library.symbol("dns_sip_resolve")?;
        let place = belongs_to(inside).ok_or("the loader does not say where the library is")?;
        (library.path, library.base) = place;
        Ok(library)
    }

    /// The library's own function or variable of a name.
    ///
    /// # Errors
    /// When it has none.
    pub(crate) fn symbol(&self, name: &str) -> Result<*mut c_void, Refusal> {
        let text = CString::new(name).map_err(|_| "a name with a NUL")?;
        // SAFETY: an open library and a NUL-terminated name.
        let found = unsafe { libc::dlsym(self.handle, text.as_ptr()) };
        let lies_elsewhere =
            || self.base != 0 && belongs_to(found).is_none_or(|(_, base)| base != self.base);
        if found.is_null() || lies_elsewhere() {
            let path = self.path.display();
            return Err(format!(
                "{path} has no {name}: it was built with other flags, or is too old"
            ));
        }
        Ok(found)
    }

    /// Refuses when library and host would each have a variable of their own.
    ///
    /// # Errors
    /// As said, and when it cannot be seen.
    pub(crate) fn check_shared(&self, host: impl Fn(&str) -> Option<usize>) -> Result<(), Refusal> {
        let bytes = std::fs::read(&self.path);
        let bytes = bytes.map_err(|error| format!("{}: {error}", self.path.display()))?;
        let image = Image::parse(&bytes)?;
        let relocations = image.relocations()?;
        for name in SHARED_VARIABLES {
            let expected = host(name).ok_or_else(|| format!("the variable {name} is missing"))?;
            let of_name =
                |r: &&crate::elf::Relocation<'_>| r.symbol.is_some_and(|s| s.name == name);
            let mut places = relocations.iter().filter(of_name).peekable();
            let differs = || format!("the library and Kamailio do not share the variable {name}");
            if places.peek().is_none() {
                return Err(differs());
            }
            for relocation in places {
                let place = self.base.wrapping_add(relocation.place as usize);
                // SAFETY: a word of the library's table of imports, which the loader filled.
                let found = unsafe { (place as *const usize).read_unaligned() };
                if found != expected.wrapping_add(relocation.addend as usize) {
                    return Err(differs());
                }
            }
        }
        Ok(())
    }

    /// Octets of the handle that the library would use in this process; 0 when it does not know it.
    ///
    /// # Errors
    /// When the library cannot say.
    pub(crate) fn handle_size(&self) -> Result<u32, Refusal> {
        type Size = unsafe extern "C" fn() -> c_uint;
        let function = self.symbol("dns_handle_layout")?;
        // SAFETY: the library's function of that name has this type.
        let function = unsafe { std::mem::transmute::<*mut c_void, Size>(function) };
        // SAFETY: it may be called at any time.
        Ok(unsafe { function() })
    }

    /// Closes the library again: nothing leads into it.
    pub(crate) fn close(self) {
        // SAFETY: an open library, of which nothing is in use.
        unsafe { libc::dlclose(self.handle) };
    }
}
