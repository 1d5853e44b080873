// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {BaseTest, IPayments, Role} from "../utils/BaseTest.sol";

/// @dev Two payers, two payees: funds, signs, collects, thaws and changes nodes at random, and remembers what was signed.
contract PaymentsHandler is BaseTest {
    address[2] public payers = [makeAddr("payer 0"), makeAddr("payer 1")];
    address[2] public payees = [makeAddr("payee 0"), makeAddr("payee 1")];
    uint256[2] internal _keys;
    uint256 internal _nodes;

    /// The largest total that was ever signed, and all of them.
    mapping(address payer => mapping(address payee => uint256)) public signed;
    IPayments.SignedVoucher[] internal _vouchers;
    mapping(address payer => mapping(address payee => uint256)) public funded;
    mapping(address payer => mapping(address payee => uint256)) public takenBack;
    mapping(address payer => mapping(address payee => uint256)) internal _collectedBefore;
    mapping(address payee => uint256) public received;
    uint256 public burned;

    function setUp() public override {
        super.setUp();
        for (uint256 i; i < 2; ++i) {
            _delegate(payers[i], payers[i], 3_000_000e18);
            vm.prank(payers[i]);
            registry.register(Role.Coordinator, payers[i], "https://x", "", "");
            _renew(i);
        }
    }

    function fund(uint256 payer, uint256 payee, uint256 amount) external {
        amount = bound(amount, 1, 1e24);
        (address from, address to) = (payers[payer % 2], payees[payee % 2]);
        _fund(from, to, amount);
        funded[from][to] += amount;
    }

    function sign(uint256 payer, uint256 payee, uint256 more) external {
        (address from, address to) = (payers[payer % 2], payees[payee % 2]);
        uint256 cumulative = signed[from][to] + bound(more, 1, 1e24);
        signed[from][to] = cumulative;
        _vouchers.push(IPayments.SignedVoucher(from, to, cumulative, _voucher(_keys[payer % 2], from, to, cumulative)));
    }

    /// @dev Any voucher that was ever signed, old ones too.
    function collect(uint256 which) external {
        if (_vouchers.length == 0) return;
        IPayments.SignedVoucher memory v = _vouchers[which % _vouchers.length];
        IPayments.Channel memory c = payments.channel(v.payer, v.payee);
        if (c.balance == 0 || v.cumulative <= c.collected || !_isLiable(v)) return;
        uint256 supply = cai.totalSupply();
        received[v.payee] += payments.collect(v.payer, v.payee, v.cumulative, v.signature);
        burned += supply - cai.totalSupply();
        _assertCollected(v.payer, v.payee);
    }

    function collectMany(uint256 first, uint256 count) external {
        if (_vouchers.length == 0) return;
        first = first % _vouchers.length;
        count = bound(count, 0, 4);
        if (count > _vouchers.length - first) count = _vouchers.length - first;
        IPayments.SignedVoucher[] memory some = new IPayments.SignedVoucher[](count);
        for (uint256 i; i < count; ++i) {
            some[i] = _vouchers[first + i];
            if (!_isLiable(some[i])) return;
        }
        uint256[2] memory before = [cai.balanceOf(payees[0]), cai.balanceOf(payees[1])];
        uint256 supply = cai.totalSupply();
        uint256 paid = payments.collectMany(some);
        burned += supply - cai.totalSupply();
        for (uint256 i; i < 2; ++i) {
            received[payees[i]] += cai.balanceOf(payees[i]) - before[i];
            paid -= cai.balanceOf(payees[i]) - before[i];
        }
        assertEq(paid, 0, "returned what was paid");
        for (uint256 i; i < count; ++i) {
            _assertCollected(some[i].payer, some[i].payee);
        }
    }

    function thaw(uint256 payer, uint256 payee, uint256 amount) external {
        (address from, address to) = (payers[payer % 2], payees[payee % 2]);
        uint256 balance = payments.channel(from, to).balance;
        if (balance == 0) return;
        vm.prank(amount % 2 == 0 ? from : registry.nodeOf(from));
        payments.thaw(from, to, bound(amount, 1, balance));
    }

    function cancelThaw(uint256 payer, uint256 payee) external {
        (address from, address to) = (payers[payer % 2], payees[payee % 2]);
        if (payments.channel(from, to).thawing == 0) return;
        vm.prank(from);
        payments.cancelThaw(from, to);
    }

    function withdrawThawed(uint256 payer, uint256 payee) external {
        (address from, address to) = (payers[payer % 2], payees[payee % 2]);
        IPayments.Channel memory c = payments.channel(from, to);
        if (c.thawing == 0 || block.timestamp < c.thawsAt) return;
        uint256 amount = payments.withdrawThawed(from, to);
        assertEq(amount, c.thawing);
        takenBack[from][to] += amount;
    }

    function renewNode(uint256 payer) external {
        _renew(payer % 2);
    }

    function pass(uint256 time) external {
        vm.warp(block.timestamp + bound(time, 1, THAW));
    }

    /// @dev A new node with a key of its own.
    function _renew(uint256 i) internal {
        (address node, uint256 key) = makeAddrAndKey(string.concat("node ", vm.toString(_nodes++)));
        bytes memory consent = _consent(payers[i], node, key);
        vm.prank(payers[i]);
        registry.setNode(node, consent);
        _keys[i] = key;
    }

    function _isLiable(IPayments.SignedVoucher memory v) internal view returns (bool) {
        bytes memory signature = v.signature;
        (bytes32 r, bytes32 s) = abi.decode(signature, (bytes32, bytes32));
        address node = ecrecover(_digest(v.payer, v.payee, v.cumulative), uint8(signature[64]), r, s);
        return registry.isLiable(v.payer, node, block.timestamp);
    }

    function _assertCollected(address payer, address payee) internal {
        uint256 collected = payments.channel(payer, payee).collected;
        assertGe(collected, _collectedBefore[payer][payee], "collected fell");
        _collectedBefore[payer][payee] = collected;
    }

    function contracts() external view returns (address, address) {
        return (address(payments), address(cai));
    }
}
