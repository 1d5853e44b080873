// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {BaseTest, IPayments, NodeConsent} from "../utils/BaseTest.sol";

contract CollectTest is BaseTest {
    function setUp() public override {
        super.setUp();
        _registerCoordinator(3_000_000e18);
        _fund(coordinator, miner, 100e18);
    }

    function _collect(uint256 cumulative) internal returns (uint256) {
        return payments.collect(coordinator, miner, cumulative, _sig(cumulative));
    }

    function _sig(uint256 cumulative) internal view returns (bytes memory) {
        return _voucher(coordinatorKey, coordinator, miner, cumulative);
    }

    function _expectInvalid(uint256 cumulative, address signer) internal {
        vm.expectRevert(
            abi.encodeWithSelector(IPayments.InvalidVoucher.selector, coordinator, miner, cumulative, signer)
        );
    }

    function test_paysTheDifferenceLessTheFee() public {
        uint256 supply = cai.totalSupply();
        bytes memory signature = _sig(10e18);
        vm.expectEmit(address(payments));
        emit IPayments.Collected(coordinator, miner, 10e18, 0.2e18, 10e18, 10e18, 90e18);
        // Anybody may call.
        vm.prank(carol);
        assertEq(payments.collect(coordinator, miner, 10e18, signature), 9.8e18);
        assertEq(cai.balanceOf(miner), 9.8e18);
        assertEq(supply - cai.totalSupply(), 0.2e18);

        assertEq(_collect(15e18), 4.9e18);
        IPayments.Channel memory c = payments.channel(coordinator, miner);
        assertEq(c.balance, 85e18);
        assertEq(c.collected, 15e18);
        assertEq(cai.balanceOf(address(payments)), 85e18);
    }

    function test_roundsTheFeeUp() public {
        assertEq(_collect(1), 0);
        assertEq(_collect(51 + 1), 49);
        assertEq(payments.channel(coordinator, miner).collected, 52);
    }

    function test_isPartialWhenUnderfunded() public {
        bytes memory signature = _sig(250e18);
        vm.expectEmit(address(payments));
        emit IPayments.Collected(coordinator, miner, 100e18, 2e18, 250e18, 100e18, 0);
        assertEq(payments.collect(coordinator, miner, 250e18, signature), 98e18);

        vm.expectRevert(abi.encodeWithSelector(IPayments.InsufficientBalance.selector, 0, 150e18));
        payments.collect(coordinator, miner, 250e18, signature);

        // The same voucher pays the rest once there is something again.
        _fund(coordinator, miner, 200e18);
        assertEq(payments.collect(coordinator, miner, 250e18, signature), 147e18);
        assertEq(payments.channel(coordinator, miner).balance, 50e18);
    }

    function test_maxVoucherPaysWhatThereIs() public {
        assertEq(_collect(type(uint256).max), 98e18);
        assertEq(payments.channel(coordinator, miner).collected, 100e18);
    }

    function test_revertsWhenAllWasCollected() public {
        _collect(10e18);
        bytes memory signature = _sig(10e18);
        vm.expectRevert(abi.encodeWithSelector(IPayments.NothingToCollect.selector, coordinator, miner, 10e18, 10e18));
        payments.collect(coordinator, miner, 10e18, signature);
        signature = _sig(9e18);
        vm.expectRevert(abi.encodeWithSelector(IPayments.NothingToCollect.selector, coordinator, miner, 9e18, 10e18));
        payments.collect(coordinator, miner, 9e18, signature);
        signature = _sig(0);
        vm.expectRevert(abi.encodeWithSelector(IPayments.NothingToCollect.selector, coordinator, miner, 0, 10e18));
        payments.collect(coordinator, miner, 0, signature);
    }

    function test_revertsOnStrangersSignatures() public {
        bytes memory signature = _voucher(minerKey, coordinator, miner, 10e18);
        _expectInvalid(10e18, minerNode);
        payments.collect(coordinator, miner, 10e18, signature);
        // The operator's own key is not its node.
        (, uint256 operatorKey) = makeAddrAndKey("coordinator");
        signature = _voucher(operatorKey, coordinator, miner, 10e18);
        _expectInvalid(10e18, coordinator);
        payments.collect(coordinator, miner, 10e18, signature);
    }

    function test_revertsOnMalformedSignatures() public {
        _expectInvalid(10e18, address(0));
        payments.collect(coordinator, miner, 10e18, "");
        bytes memory signature = _sig(10e18);
        signature[64] = 0x05;
        _expectInvalid(10e18, address(0));
        payments.collect(coordinator, miner, 10e18, signature);
        // The other signature of the same curve point.
        signature = _malleable(_sig(10e18));
        _expectInvalid(10e18, address(0));
        payments.collect(coordinator, miner, 10e18, signature);
    }

    function test_aVoucherIsForOneChannelAndOneAmount() public {
        _fund(coordinator, alice, 100e18);
        bytes memory signature = _sig(10e18);
        vm.expectPartialRevert(IPayments.InvalidVoucher.selector);
        payments.collect(coordinator, alice, 10e18, signature);
        vm.expectPartialRevert(IPayments.InvalidVoucher.selector);
        payments.collect(coordinator, miner, 11e18, signature);
        vm.expectPartialRevert(IPayments.InvalidVoucher.selector);
        payments.collect(miner, coordinator, 10e18, signature);
    }

    /// Each field of a voucher is signed: a signature of one is none of another that differs in any of them, wherever there is something to collect.
    function testFuzz_everyFieldOfAVoucherIsSigned(address payer, address payee, uint128 cumulative) public {
        vm.assume(payer != address(0) && payee != address(0) && payee != address(payments));
        bytes memory signature = _sig(10e18);
        address[2] memory payers = [coordinator, payer];
        address[2] memory payees = [miner, payee];
        uint256[2] memory cumulatives = [uint256(10e18), bound(cumulative, 1, type(uint128).max)];
        for (uint256 i = 1; i < 8; ++i) {
            (address from, address to, uint256 total) = (payers[i & 1], payees[i >> 1 & 1], cumulatives[i >> 2]);
            if (from == coordinator && to == miner && total == 10e18) continue;
            assertNotEq(_digest(from, to, total), _digest(coordinator, miner, 10e18));
            _give(alice, address(payments), 1e18);
            vm.prank(alice);
            payments.fund(from, to, 1e18);
            vm.expectPartialRevert(IPayments.InvalidVoucher.selector);
            payments.collect(from, to, total, signature);
        }
        payments.collect(coordinator, miner, 10e18, signature);
    }

    function test_aVoucherIsForOneChain() public {
        bytes memory signature = _sig(10e18);
        vm.chainId(77);
        vm.expectPartialRevert(IPayments.InvalidVoucher.selector);
        payments.collect(coordinator, miner, 10e18, signature);
    }

    function test_aReplacedNodesVouchersAreGoodForItsGrace() public {
        (address newNode, uint256 newKey) = makeAddrAndKey("new node");
        bytes memory consent = _consent(coordinator, newNode, newKey);
        vm.prank(coordinator);
        registry.setNode(newNode, consent);

        vm.warp(block.timestamp + GRACE);
        _collect(10e18);
        vm.warp(block.timestamp + 1);
        bytes memory signature = _sig(20e18);
        _expectInvalid(20e18, coordinatorNode);
        payments.collect(coordinator, miner, 20e18, signature);
        payments.collect(coordinator, miner, 20e18, _voucher(newKey, coordinator, miner, 20e18));
        assertEq(payments.channel(coordinator, miner).collected, 20e18);
    }

    function test_aRetiredCoordinatorsVouchersAreGood() public {
        vm.prank(coordinator);
        registry.retire();
        _nextEpoch(50);
        assertEq(_collect(10e18), 9.8e18);
    }

    /// Whatever the order of vouchers and funding: never more than the largest signed, never more than funded.
    function testFuzz_cumulative(uint128[6] memory signed, uint128[6] memory funded) public {
        uint256 largest;
        uint256 total = 100e18;
        uint256 supply = cai.totalSupply();
        for (uint256 i; i < 6; ++i) {
            uint256 amount = bound(funded[i], 1, 1e25);
            _fund(coordinator, miner, amount);
            total += amount;
            uint256 cumulative = bound(signed[i], 0, 5e25);
            if (cumulative > payments.channel(coordinator, miner).collected) _collect(cumulative);
            if (cumulative > largest) largest = cumulative;
            IPayments.Channel memory c = payments.channel(coordinator, miner);
            assertLe(c.collected, largest);
            assertEq(c.balance + c.collected, total);
            assertEq(cai.balanceOf(address(payments)), c.balance);
            assertEq(cai.balanceOf(miner) + supply - cai.totalSupply(), c.collected);
        }
    }

    function _malleable(bytes memory signature) internal pure returns (bytes memory) {
        (bytes32 r, bytes32 s) = abi.decode(signature, (bytes32, bytes32));
        uint256 n = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
        return abi.encodePacked(r, n - uint256(s), uint8(signature[64]) == 27 ? uint8(28) : uint8(27));
    }
}
