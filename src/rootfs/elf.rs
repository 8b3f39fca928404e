//! What a program says about itself: its loader and the libraries that it needs.
//!
//! `readelf -l FILE` and `readelf -d FILE` print the same facts. The format is described in
//! elf(5); only the few kilobytes that matter are read from the file.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use object::elf::{
    DF_1_NODEFLIB, DT_FLAGS_1, DT_NEEDED, DT_RPATH, DT_RUNPATH, DT_SONAME, DT_STRSZ, DT_STRTAB,
    FileHeader32, FileHeader64,
};
use object::read::elf::{Dyn, FileHeader, ProgramHeader};
use object::read::{FileKind, ReadCache, ReadRef};
use object::{Endianness, StringTable};

use crate::refusal::Refusal;

/// A file that the kernel can execute, or a library.
#[derive(Debug, Clone)]
pub enum Executable {
    /// Machine code with its headers.
    Elf(Elf),
    /// A text whose first line names its interpreter (execve(2), "Interpreter scripts").
    Script {
        /// What stands after `#!`, without its argument.
        interpreter: PathBuf,
    },
}

/// The headers that the kernel and the loader look at.
#[derive(Debug, Clone, Default)]
pub struct Elf {
    /// 32 or 64 bits and the machine: libraries of another kind are passed over (ld.so(8)).
    pub machine: Machine,
    /// `PT_INTERP`: the loader. The kernel starts *it*; a static program has none.
    pub interpreter: Option<PathBuf>,
    /// `DT_NEEDED`: the libraries by name, in the order in which they are loaded.
    pub needed: Vec<String>,
    /// `DT_SONAME`: the name by which others ask for this library.
    pub soname: Option<String>,
    /// `DT_RPATH`: where to look first. It holds for the libraries' own needs as well.
    pub rpath: Vec<String>,
    /// `DT_RUNPATH`: where to look first, for this file's own needs only.
    pub runpath: Vec<String>,
    /// `DF_1_NODEFLIB`: the default directories do not count.
    pub no_default_directories: bool,
}

/// The kind of machine that a file was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Machine {
    /// Whether the file is of class ELFCLASS64.
    pub is_64_bit: bool,
    /// `e_machine`: 62 is x86-64, 183 is arm64.
    pub number: u16,
}

impl Machine {
    /// As the loader names it in `$PLATFORM` and in Debian's multi-architecture directories.
    pub fn name(self) -> &'static str {
        match self.number {
            3 => "i386",
            21 => "powerpc64le",
            22 => "s390x",
            40 => "arm",
            62 => "x86_64",
            183 => "aarch64",
            243 => "riscv64",
            _ => "unknown",
        }
    }
}

// ANCHOR: read
/// Reads the headers of a program or a library, or the first line of a script.
///
/// # Errors
/// When the file cannot be read, is neither ELF nor a script, or is damaged.
pub fn read(path: &Path) -> Result<Executable> {
    let mut file = File::open(path).map_err(Refusal::io("open", path))?;
    if let Some(interpreter) = interpreter_of_script(&mut file)? {
        return Ok(Executable::Script { interpreter });
    }
    let cache = ReadCache::new(file);
    let elf = match FileKind::parse(&cache) {
        Ok(FileKind::Elf64) => headers::<FileHeader64<Endianness>, _>(&cache),
        Ok(FileKind::Elf32) => headers::<FileHeader32<Endianness>, _>(&cache),
        _ => bail!("{} is neither an ELF file nor a script", path.display()),
    };
    elf.map(Executable::Elf).with_context(|| format!("{} is a damaged ELF file", path.display()))
}
// ANCHOR_END: read

fn interpreter_of_script(file: &mut File) -> Result<Option<PathBuf>> {
    // The kernel, too, looks at the first 256 bytes only (BINPRM_BUF_SIZE).
    let mut start = Vec::new();
    file.by_ref().take(256).read_to_end(&mut start)?;
    let line = start.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let Some(words) = line.strip_prefix(b"#!") else { return Ok(None) };
    let text = String::from_utf8_lossy(words);
    Ok(text.split_whitespace().next().map(PathBuf::from))
}

/// Walks the program headers once: `PT_INTERP` is the loader's path, `PT_DYNAMIC` the table of
/// what the loader has to know.
fn headers<'data, Header, Data>(data: Data) -> object::Result<Elf>
where
    Header: FileHeader<Endian = Endianness>,
    Data: ReadRef<'data>,
{
    let header = Header::parse(data)?;
    let endian = header.endian()?;
    let machine = Machine { is_64_bit: header.is_type_64(), number: header.e_machine(endian).0 };
    let mut elf = Elf { machine, ..Elf::default() };
    let segments = header.program_headers(endian, data)?;
    for segment in segments {
        if let Some(path) = segment.interpreter(endian, data)? {
            elf.interpreter = Some(PathBuf::from(String::from_utf8_lossy(path).into_owned()));
        }
        if let Some(entries) = segment.dynamic(endian, data)? {
            read_dynamic::<Header, _>(&mut elf, entries, endian, segments, data)?;
        }
    }
    Ok(elf)
}

fn read_dynamic<'data, Header, Data>(
    elf: &mut Elf,
    entries: &[Header::Dyn],
    endian: Endianness,
    segments: &[Header::ProgramHeader],
    data: Data,
) -> object::Result<()>
where
    Header: FileHeader<Endian = Endianness>,
    Data: ReadRef<'data>,
{
    let value = |wanted| {
        let entry = entries.iter().find(|entry| entry.tag(endian) == wanted);
        entry.map_or(0, |entry| entry.d_val(endian).into())
    };
    let strings = strings_at(value(DT_STRTAB), value(DT_STRSZ), endian, segments, data);
    for entry in entries {
        let text = || {
            let bytes = entry.string(endian, strings)?;
            Ok::<_, object::Error>(String::from_utf8_lossy(bytes).into_owned())
        };
        match entry.tag(endian) {
            DT_NEEDED => elf.needed.push(text()?),
            DT_SONAME => elf.soname = Some(text()?),
            DT_RPATH => elf.rpath = directories(&text()?),
            DT_RUNPATH => elf.runpath = directories(&text()?),
            DT_FLAGS_1 => {
                let flags: u64 = entry.d_val(endian).into();
                elf.no_default_directories = flags & DF_1_NODEFLIB.0 != 0;
            }
            _ => {}
        }
    }
    Ok(())
}

/// The names are in a table that the loader knows by its address in memory; the program headers
/// say which part of the file will lie there.
fn strings_at<'data, Segment, Data>(
    address: u64,
    size: u64,
    endian: Endianness,
    segments: &[Segment],
    data: Data,
) -> StringTable<'data, Data>
where
    Segment: ProgramHeader<Endian = Endianness>,
    Data: ReadRef<'data>,
{
    for segment in segments {
        let start: u64 = segment.p_vaddr(endian).into();
        let length: u64 = segment.p_filesz(endian).into();
        if (start..start.saturating_add(length)).contains(&address) {
            let offset = segment.p_offset(endian).into().saturating_add(address - start);
            return StringTable::new(data, offset, offset.saturating_add(size));
        }
    }
    StringTable::default()
}

fn directories(list: &str) -> Vec<String> {
    list.split(':').filter(|part| !part.is_empty()).map(str::to_owned).collect()
}
