/** @file The instructions of pickle, by their bytes: all of them, so that those that are refused have a name. */

/** Those that are read: what `torch.save` writes with protocols 2 to 5. */
export const OP = {
  MARK: 0x28,
  EMPTY_TUPLE: 0x29,
  STOP: 0x2e,
  BINFLOAT: 0x47,
  BININT: 0x4a,
  BININT1: 0x4b,
  BININT2: 0x4d,
  NONE: 0x4e,
  BINPERSID: 0x51,
  REDUCE: 0x52,
  SHORT_BINSTRING: 0x55,
  BINUNICODE: 0x58,
  EMPTY_LIST: 0x5d,
  APPEND: 0x61,
  BUILD: 0x62,
  GLOBAL: 0x63,
  APPENDS: 0x65,
  BINGET: 0x68,
  LONG_BINGET: 0x6a,
  BINPUT: 0x71,
  LONG_BINPUT: 0x72,
  SETITEM: 0x73,
  TUPLE: 0x74,
  SETITEMS: 0x75,
  EMPTY_DICT: 0x7d,
  PROTO: 0x80,
  NEWOBJ: 0x81,
  TUPLE1: 0x85,
  TUPLE2: 0x86,
  TUPLE3: 0x87,
  NEWTRUE: 0x88,
  NEWFALSE: 0x89,
  LONG1: 0x8a,
  SHORT_BINUNICODE: 0x8c,
  STACK_GLOBAL: 0x93,
  MEMOIZE: 0x94,
  FRAME: 0x95,
} as const

/** The others, each as its byte and its name. */
const REFUSED =
  '30 POP 31 POP_MARK 32 DUP 46 FLOAT 49 INT 4c LONG 50 PERSID 53 STRING 54 BINSTRING 56 UNICODE 64 DICT 67 GET ' +
  '69 INST 6c LIST 6f OBJ 70 PUT 82 EXT1 83 EXT2 84 EXT4 8b LONG4 42 BINBYTES 43 SHORT_BINBYTES 8d BINUNICODE8 ' +
  '8e BINBYTES8 8f EMPTY_SET 90 ADDITEMS 91 FROZENSET 92 NEWOBJ_EX 96 BYTEARRAY8 97 NEXT_BUFFER 98 READONLY_BUFFER'

/** What an instruction that is not read is called. */
export function refusedName(byte: number): string {
  const hex = byte.toString(16).padStart(2, '0')
  const name = new RegExp(`(?:^| )${hex} (\\w+)`).exec(REFUSED)?.[1]
  return name === undefined ? `the byte 0x${hex}` : `${name} (0x${hex})`
}
