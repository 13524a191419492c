//! Instructions against the bytes of GNU as.

use super::*;

/// `[base + rax · scale + offset]`
fn tile(base: General, scale: u8, offset: i32) -> Operand {
    Operand::Memory(Address { base, index: Some((General::Rax, scale)), offset })
}

/// `[r11 + r14 · scale]`
fn by_row(scale: u8) -> Operand {
    Operand::Memory(Address { base: General::R11, index: Some((General::R14, scale)), offset: 0 })
}

#[test]
fn vector_instructions_have_the_bytes_of_gnu_as() {
    use General::*;
    use Instruction as I;
    let r = |n| Operand::Register(Vector(n));
    let d = Float::F64;
    let stack = |offset| Operand::Memory(Address::at(Rsp, offset));
    let plain = |base| Operand::Memory(Address::at(base, 0));
    type Row = (I, u8, Option<u8>, Operand, Option<u8>, &'static str);
    // Instruction, first operand of the encoding, second if any, last, byte; what GNU as makes of it.
    #[rustfmt::skip]
    let table: &[Row] = &[
        (I::ADD, 1, Some(2), r(3), None, "c5ec58cb"), // vaddps ymm1, ymm2, ymm3
        (I::ADD, 9, Some(2), r(3), None, "c56c58cb"), // vaddps ymm9, ymm2, ymm3
        (I::ADD, 1, Some(10), r(3), None, "c5ac58cb"), // vaddps ymm1, ymm10, ymm3
        (I::ADD, 1, Some(2), r(11), None, "c4c16c58cb"), // vaddps ymm1, ymm2, ymm11
        (I::ADD.of(d), 1, Some(2), r(3), None, "c5ed58cb"), // vaddpd ymm1, ymm2, ymm3
        (I::MUL, 0, Some(1), tile(Rcx, 2, 0), None, "c5f4590481"), // vmulps ymm0, ymm1, [rcx+rax*4]
        (I::SUB.of(d), 8, Some(15), tile(R13, 3, 0), None, "c441055c44c500"), // vsubpd ymm8, ymm15, [r13+rax*8]
        (I::DIV, 4, Some(5), stack(64), None, "c5d45e642440"), // vdivps ymm4, ymm5, [rsp+64]
        (I::DIV, 4, Some(5), stack(256), None, "c5d45ea42400010000"), // vdivps ymm4, ymm5, [rsp+256]
        (I::MAX, 4, Some(5), tile(Rbp, 2, 0), None, "c5d45f648500"), // vmaxps ymm4, ymm5, [rbp+rax*4]
        (I::MIN, 4, Some(5), tile(R12, 2, 0), None, "c4c1545d2484"), // vminps ymm4, ymm5, [r12+rax*4]
        (I::SQRT, 6, None, r(7), None, "c5fc51f7"), // vsqrtps ymm6, ymm7
        (I::SQRT.of(d), 6, None, tile(R8, 3, 0), None, "c4c17d5134c0"), // vsqrtpd ymm6, [r8+rax*8]
        (I::AND, 1, Some(2), r(3), None, "c5ec54cb"), // vandps ymm1, ymm2, ymm3
        (I::AND_NOT.of(d), 1, Some(2), r(3), None, "c5ed55cb"), // vandnpd ymm1, ymm2, ymm3
        (I::OR, 1, Some(2), r(3), None, "c5ec56cb"), // vorps ymm1, ymm2, ymm3
        (I::XOR, 1, Some(2), r(3), None, "c5ec57cb"), // vxorps ymm1, ymm2, ymm3
        (I::COMPARE, 1, Some(2), r(3), Some(0x12), "c5ecc2cb12"), // vcmpps ymm1, ymm2, ymm3, 0x12
        (I::COMPARE.of(d), 1, Some(2), tile(R9, 3, 0), Some(4), "c4c16dc20cc104"), // vcmppd ymm1, ymm2, [r9+rax*8], 4
        (I::LOAD, 3, None, tile(Rdx, 2, 0), None, "c5fc101c82"), // vmovups ymm3, [rdx+rax*4]
        (I::STORE, 12, None, tile(Rbx, 2, 0), None, "c57c112483"), // vmovups [rbx+rax*4], ymm12
        (I::STREAM, 2, None, tile(R15, 2, 0), None, "c4c17c2b1487"), // vmovntps [r15+rax*4], ymm2
        (I::FROM_I32, 1, None, tile(Rcx, 2, 0), None, "c5fc5b0c81"), // vcvtdq2ps ymm1, [rcx+rax*4]
        (I::FROM_I32.of(d), 1, None, tile(Rcx, 2, 0), None, "c5fee60c81"), // vcvtdq2pd ymm1, [rcx+rax*4]
        (I::ROUND, 1, None, r(2), Some(9), "c4e37d08ca09"), // vroundps ymm1, ymm2, 9
        (I::ROUND.of(d), 1, None, r(2), Some(11), "c4e37d09ca0b"), // vroundpd ymm1, ymm2, 11
        (I::BLEND, 1, Some(2), r(3), Some(0x40), "c4e36d4acb40"), // vblendvps ymm1, ymm2, ymm3, ymm4
        (I::BLEND.of(d), 1, Some(2), tile(R10, 3, 0), Some(0xe0), "c4c36d4b0cc2e0"), // vblendvpd …, [r10+rax*8], ymm14
        (I::BROADCAST, 5, None, plain(R11), None, "c4c27d182b"), // vbroadcastss ymm5, [r11]
        (I::BROADCAST.of(d), 5, None, plain(R11), None, "c4c27d192b"), // vbroadcastsd ymm5, [r11]
        (I::BROADCAST, 5, None, by_row(2), None, "c4827d182cb3"), // vbroadcastss ymm5, [r11+r14*4]
        (I::WIDEN_BYTES, 1, None, tile(R14, 0, 0), None, "c4c27d310c06"), // vpmovzxbd ymm1, [r14+rax]
        (I::WIDEN_BYTES.of(d), 1, None, tile(Rcx, 0, 0), None, "c4e27d320c01"), // vpmovzxbq ymm1, [rcx+rax]
        (I::ABOVE, 1, Some(2), r(3), None, "c5ed66cb"), // vpcmpgtd ymm1, ymm2, ymm3
        (I::ABOVE.of(d), 1, Some(2), r(3), None, "c4e26d37cb"), // vpcmpgtq ymm1, ymm2, ymm3
        (I::UPPER, 12, None, r(3), Some(1), "c4637d39e301"), // vextracti128 xmm3, ymm12, 1
        (I::PACK_32, 1, Some(2), r(3), None, "c5e96bcb"), // vpackssdw xmm1, xmm2, xmm3
        (I::PACK_16, 1, Some(1), r(9), None, "c4c17163c9"), // vpacksswb xmm1, xmm1, xmm9
        (I::ABS_BYTES, 1, None, r(2), None, "c4e2791cca"), // vpabsb xmm1, xmm2
        (I::STORE_4, 2, None, tile(Rcx, 0, 0), None, "c5f97e1401"), // vmovd [rcx+rax], xmm2
        (I::STORE_8, 2, None, tile(Rcx, 0, 0), None, "c5f9d61401"), // vmovq [rcx+rax], xmm2
        (I::FACTOR, 1, Some(2), r(3), None, "c4e26da8cb"), // vfmadd213ps ymm1, ymm2, ymm3
        (I::FACTOR_NEGATIVE, 1, Some(12), tile(Rcx, 2, 0), None, "c4e21dac0c81"), // vfnmadd213ps ymm1, ymm12, [rcx+rax*4]
        (I::SUM, 1, Some(2), r(11), None, "c4c26db8cb"), // vfmadd231ps ymm1, ymm2, ymm11
        (I::SUM_NEGATIVE, 8, Some(15), stack(64), None, "c46205bc442440"), // vfnmadd231ps ymm8, ymm15, [rsp+64]
        (I::SUB_I32, 1, Some(2), tile(R13, 2, 0), None, "c4c16dfa4c8500"), // vpsubd ymm1, ymm2, [r13+rax*4]
        (I::LEFT, 1, Some(2), r(3), None, "c4e26d47cb"), // vpsllvd ymm1, ymm2, ymm3
        (I::RIGHT, 4, Some(10), r(3), None, "c4e22d45e3"), // vpsrlvd ymm4, ymm10, ymm3
    ];
    for (i, reg, first, last, byte, expected) in table {
        let mut asm = Assembler::new(Width::Ymm);
        asm.vector(*i, Vector(*reg), first.map(Vector), *last, *byte);
        assert_eq!(hex(&asm), *expected, "{i:?} {reg} {first:?} {last:?}");
    }
}

#[test]
fn wide_ones_too() {
    use General::*;
    use Instruction as I;
    let r = |n| Operand::Register(Vector(n));
    let d = Float::F64;
    let stack = |offset| Operand::Memory(Address::at(Rsp, offset));
    let plain = |base| Operand::Memory(Address::at(base, 0));
    type Row = (I, u8, Option<u8>, Operand, Option<u8>, &'static str);
    #[rustfmt::skip]
    let table: &[Row] = &[
        (I::ADD, 1, Some(2), r(3), None, "62f16c4858cb"), // vaddps zmm1, zmm2, zmm3
        (I::ADD, 9, Some(18), r(27), None, "62116c4058cb"), // vaddps zmm9, zmm18, zmm27
        (I::ADD, 25, Some(10), r(3), None, "62612c4858cb"), // vaddps zmm25, zmm10, zmm3
        (I::ADD.of(d), 1, Some(2), r(3), None, "62f1ed4858cb"), // vaddpd zmm1, zmm2, zmm3
        (I::MUL, 0, Some(1), tile(Rcx, 2, 0), None, "62f17448590481"), // vmulps zmm0, zmm1, [rcx+rax*4]
        (I::SUB.of(d), 8, Some(31), tile(R13, 3, 0), None, "625185405c44c500"), // vsubpd zmm8, zmm31, [r13+rax*8]
        (I::DIV, 4, Some(5), stack(64), None, "62f154485e642401"), // vdivps zmm4, zmm5, [rsp+64]
        (I::DIV, 4, Some(5), stack(16), None, "62f154485ea42410000000"), // vdivps zmm4, zmm5, [rsp+16]
        (I::MAX, 4, Some(5), tile(Rbp, 2, 0), None, "62f154485f648500"), // vmaxps zmm4, zmm5, [rbp+rax*4]
        (I::MIN, 20, Some(5), tile(R12, 2, 128), None, "62c154485d648402"), // vminps zmm20, zmm5, [r12+rax*4+128]
        (I::SQRT.of(d), 6, None, tile(R8, 3, 0), None, "62d1fd485134c0"), // vsqrtpd zmm6, [r8+rax*8]
        (I::AND, 1, Some(2), r(3), None, "62f16c4854cb"), // vandps zmm1, zmm2, zmm3
        (I::AND_NOT.of(d), 1, Some(2), r(3), None, "62f1ed4855cb"), // vandnpd zmm1, zmm2, zmm3
        (I::LOAD, 3, None, tile(Rdx, 2, 0), None, "62f17c48101c82"), // vmovups zmm3, [rdx+rax*4]
        (I::STORE, 28, None, tile(Rbx, 2, 0), None, "62617c48112483"), // vmovups [rbx+rax*4], zmm28
        (I::STREAM, 2, None, tile(R15, 2, 0), None, "62d17c482b1487"), // vmovntps [r15+rax*4], zmm2
        (I::FROM_I32, 1, None, tile(Rcx, 2, 0), None, "62f17c485b0c81"), // vcvtdq2ps zmm1, [rcx+rax*4]
        (I::FROM_I32.of(d), 1, None, tile(Rcx, 2, 0), None, "62f17e48e60c81"), // vcvtdq2pd zmm1, [rcx+rax*4]
        (I::ROUND, 1, None, r(2), Some(9), "62f37d4808ca09"), // vrndscaleps zmm1, zmm2, 9
        (I::ROUND.of(d), 17, None, r(2), Some(11), "62e3fd4809ca0b"), // vrndscalepd zmm17, zmm2, 11
        (I::BROADCAST, 21, None, plain(R11), None, "62c27d48182b"), // vbroadcastss zmm21, [r11]
        (I::BROADCAST.of(d), 5, None, plain(R11), None, "62d2fd48192b"), // vbroadcastsd zmm5, [r11]
        (I::BROADCAST, 5, None, by_row(2), None, "62927d48182cb3"), // vbroadcastss zmm5, [r11+r14*4]
        (I::BROADCAST.of(d), 21, None, by_row(3), None, "6282fd48192cf3"), // vbroadcastsd zmm21, [r11+r14*8]
        (I::ABS_BYTES, 1, None, r(2), None, "62f27d081cca"), // {evex} vpabsb xmm1, xmm2
        (I::STORE_8, 2, None, tile(Rcx, 0, 0), None, "62f1fd08d61401"), // {evex} vmovq [rcx+rax], xmm2
        (I::LOAD_8, 2, None, tile(Rcx, 0, 0), None, "62f1fe087e1401"), // {evex} vmovq xmm2, [rcx+rax]
        (I::LOAD_BYTES, 17, None, tile(Rcx, 0, 0), None, "62e17f086f0c01"), // vmovdqu8 xmm17, [rcx+rax]
        (I::STORE_BYTES, 2, None, tile(Rcx, 0, 0), None, "62f17f087f1401"), // vmovdqu8 [rcx+rax], xmm2
        (I::FROM_MASK, 19, None, Operand::Mask(Mask(3)), None, "62e27e4838db"), // vpmovm2d zmm19, k3
        (I::FROM_MASK.of(d), 1, None, Operand::Mask(Mask(3)), None, "62f2fe4838cb"), // vpmovm2q zmm1, k3
        (I::BYTES_FROM_MASK, 1, None, Operand::Mask(Mask(5)), None, "62f27e0828cd"), // vpmovm2b xmm1, k5
        (I::FACTOR, 1, Some(2), r(3), None, "62f26d48a8cb"), // vfmadd213ps zmm1, zmm2, zmm3
        (I::FACTOR_NEGATIVE, 17, Some(12), tile(Rcx, 2, 0), None, "62e21d48ac0c81"), // vfnmadd213ps zmm17, zmm12, [rcx+rax*4]
        (I::SUM, 1, Some(25), r(30), None, "62923540b8ce"), // vfmadd231ps zmm1, zmm25, zmm30
        (I::SUM_NEGATIVE, 8, Some(15), stack(64), None, "62720548bc442401"), // vfnmadd231ps zmm8, zmm15, [rsp+64]
        (I::SUB_I32, 31, Some(2), tile(R13, 2, 0), None, "62416d48fa7c8500"), // vpsubd zmm31, zmm2, [r13+rax*4]
        (I::LEFT, 1, Some(2), r(3), None, "62f26d4847cb"), // vpsllvd zmm1, zmm2, zmm3
        (I::RIGHT, 20, Some(10), r(3), None, "62e22d4845e3"), // vpsrlvd zmm20, zmm10, zmm3
    ];
    for (i, reg, first, last, byte, expected) in table {
        let mut asm = Assembler::new(Width::Zmm);
        asm.vector(*i, Vector(*reg), first.map(Vector), *last, *byte);
        assert_eq!(hex(&asm), *expected, "{i:?} {reg} {first:?} {last:?}");
    }
    let (zero, merge) = (|k| Under::Zero(Mask(k)), |k| Under::Merge(Mask(k)));
    type Masked = (I, Under, u8, Option<u8>, Operand, &'static str);
    #[rustfmt::skip]
    let table: &[Masked] = &[
        (I::MUL, zero(2), 1, Some(2), r(3), "62f16cca59cb"), // vmulps zmm1{k2}{z}, zmm2, zmm3
        (I::LOAD.of(d), zero(7), 1, None, tile(R9, 3, 0), "62d1fdcf100cc1"), // vmovupd zmm1{k7}{z}, [r9+rax*8]
        (I::LOAD, zero(4), 1, None, r(29), "62917ccc10cd"), // vmovups zmm1{k4}{z}, zmm29
        (I::STORE, merge(7), 30, None, tile(R9, 2, 0), "62417c4f113481"), // vmovups [r9+rax*4]{k7}, zmm30
        (I::LOAD_BYTES, zero(7), 1, None, tile(Rcx, 0, 0), "62f17f8f6f0c01"), // vmovdqu8 xmm1{k7}{z}, [rcx+rax]
        (I::STORE_BYTES, merge(7), 1, None, tile(Rcx, 0, 0), "62f17f0f7f0c01"), // vmovdqu8 [rcx+rax]{k7}, xmm1
        (I::BLEND_MASK, merge(3), 1, Some(2), r(3), "62f26d4b65cb"), // vblendmps zmm1{k3}, zmm2, zmm3
        (I::BLEND_MASK.of(d), merge(3), 1, Some(2), tile(R10, 3, 0), "62d2ed4b650cc2"), // vblendmpd …, [r10+rax*8]
        (I::FROM_I32.of(d), zero(7), 1, None, tile(Rcx, 2, 0), "62f17ecfe60c81"), // vcvtdq2pd zmm1{k7}{z}, [rcx+rax*4]
    ];
    for (i, under, reg, first, last, expected) in table {
        let mut asm = Assembler::new(Width::Zmm);
        asm.masked(*i, *under, Vector(*reg), first.map(Vector), *last);
        assert_eq!(hex(&asm), *expected, "{i:?} {under:?} {reg} {first:?} {last:?}");
    }
    type ToMask = (I, Under, u8, Option<u8>, Operand, Option<u8>, &'static str);
    #[rustfmt::skip]
    let table: &[ToMask] = &[
        (I::COMPARE, Under::All, 1, Some(2), r(3), Some(0x12), "62f16c48c2cb12"), // vcmpps k1, zmm2, zmm3, 0x12
        (I::COMPARE.of(d), Under::All, 6, Some(20), tile(R9, 3, 0), Some(4), "62d1dd40c234c104"), // vcmppd k6, …, 4
        (I::COMPARE, merge(2), 1, Some(2), r(3), Some(4), "62f16c4ac2cb04"), // vcmpps k1{k2}, zmm2, zmm3, 4
        (I::TEST_BYTES, Under::All, 2, Some(17), r(17), None, "62b2750026d1"), // vptestmb k2, xmm17, xmm17
        (I::TO_MASK, Under::All, 3, None, r(21), None, "62b27e4839dd"), // vpmovd2m k3, zmm21
        (I::TO_MASK.of(d), Under::All, 3, None, r(1), None, "62f2fe4839d9"), // vpmovq2m k3, zmm1
    ];
    for (i, under, to, first, last, byte, expected) in table {
        let mut asm = Assembler::new(Width::Zmm);
        asm.write_mask(*i, *under, Mask(*to), first.map(Vector), *last, *byte);
        assert_eq!(hex(&asm), *expected, "{i:?} {under:?} {to} {first:?} {last:?}");
    }
}

#[test]
fn the_other_instructions_too() {
    use General::*;
    fn bytes(write: impl FnOnce(&mut Assembler)) -> String {
        let mut asm = Assembler::new(Width::Ymm);
        write(&mut asm);
        hex(&asm)
    }
    assert_eq!(bytes(|a| a.load(Rcx, Address::at(Rdi, 8))), "488b4f08"); // mov rcx, [rdi+8]
    assert_eq!(bytes(|a| a.load(R11, Address::at(Rdi, 1024))), "4c8b9f00040000"); // mov r11, [rdi+1024]
    assert_eq!(bytes(|a| a.copy(R15, Rcx)), "4989cf"); // mov r15, rcx
    assert_eq!(bytes(|a| a.copy(Rax, R9)), "4c89c8"); // mov rax, r9
    assert_eq!(bytes(|a| a.clear(R14)), "4531f6"); // xor r14d, r14d
    let next = Address { base: R13, index: Some((Rax, 2)), offset: 1024 };
    assert_eq!(bytes(|a| a.prefetch(next)), "410f188c8500040000"); // prefetcht0 [r13+rax*4+1024]
    assert_eq!(
        bytes(|a| {
            a.add(Rsp, -64);
        }),
        "4881c4c0ffffff"
    ); // add rsp, -64
    assert_eq!(
        bytes(|a| {
            a.push(R12);
            a.pop(Rbx)
        }),
        "4154405b"
    ); // push r12; pop rbx
    assert_eq!(bytes(|a| a.loop_while_below(Rax, Rsi, 0)), "4839f00f82f7ffffff"); // cmp rax, rsi; jb to the start
    assert_eq!(
        bytes(|a| {
            let jump = a.jump_unless_below(Rsi, R11);
            a.jump_back(0);
            a.land(jump);
        }),
        "4c39de0f8305000000e9f2ffffff"
    ); // cmp rsi, r11; jae behind; jmp to the start
    assert_eq!(bytes(|a| a.move_mask(Mask(7), Rcx)), "c5fb92f9"); // kmovd k7, ecx
    assert_eq!(bytes(|a| a.move_mask(Mask(3), R9)), "c4c17b92d9"); // kmovd k3, r9d
    assert_eq!(bytes(Assembler::leave), "c5f877c3"); // vzeroupper; ret
}

fn hex(asm: &Assembler) -> String {
    asm.bytes.iter().map(|b| format!("{b:02x}")).collect()
}
