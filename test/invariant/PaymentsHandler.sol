// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IMiningRewards} from "../../contracts/interfaces/IMiningRewards.sol";
import {BaseTest, IPayments, Role} from "../utils/BaseTest.sol";

/// @dev Two payers with voters, two payees that are miners: funds, signs, collects, thaws, changes nodes, sets backing, notices, enforces, leaves, is
/// slashed and earns at random, and remembers what was signed and paid.
contract PaymentsHandler is BaseTest {
    uint256 internal constant MINING_EPOCHS = 16;

    address[2] public payers = [makeAddr("payer 0"), makeAddr("payer 1")];
    address[2] public payees = [makeAddr("payee 0"), makeAddr("payee 1")];
    uint256[2] internal _keys;
    uint256 internal _nodes;
    IMiningRewards internal _mining;

    /// The largest total that was ever signed, and all of them.
    mapping(address payer => mapping(address payee => uint256)) public signed;
    IPayments.SignedVoucher[] internal _vouchers;
    mapping(address payer => mapping(address payee => uint256)) public funded;
    mapping(address payer => mapping(address payee => uint256)) public takenBack;
    mapping(address payer => mapping(address payee => uint256)) internal _collectedBefore;
    mapping(address payee => uint256) public received;
    uint256 public burned;
    /// Paid from the payer's own stake, and the sum of all that its operator ever put behind its vouchers.
    mapping(address payer => mapping(address payee => uint256)) public covered;
    mapping(address payer => uint256) public putBehind;
    mapping(address payer => bool) public slashed;
    /// Of the mining stream.
    uint256 public miningFunded;
    uint256 public miningPaid;
    uint256 public miningBurned;
    mapping(uint256 epoch => mapping(address coordinator => uint256)) internal _earned;

    function setUp() public override {
        super.setUp();
        for (uint256 i; i < 2; ++i) {
            _delegate(payers[i], payers[i], 3_000_000e18);
            _delegate(payers[i], alice, (i + 1) * 777_777e18 + 7);
            vm.prank(payers[i]);
            registry.register(Role.Coordinator, payers[i], "https://x", "", "");
            _renew(i);
            _delegate(payees[i], payees[i], 30_000e18 * (2 * i + 1));
            vm.prank(payees[i]);
            registry.register(Role.Miner, payees[i], "", "", "");
        }
        _fundRewards(1e26);
        _mining = IMiningRewards(
            _deploy("MiningRewards", abi.encode(cai, payments, staking.currentEpoch() + 1, MINING_EPOCHS))
        );
        fundMining(1e24);
        _nextEpoch(2);
    }

    // ----------------------------------------------------------------------------------------------------------- channels

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

    function collectMany(uint256 first, uint256 number) external {
        if (_vouchers.length == 0) return;
        first = first % _vouchers.length;
        number = bound(number, 0, 4);
        if (number > _vouchers.length - first) number = _vouchers.length - first;
        IPayments.SignedVoucher[] memory some = new IPayments.SignedVoucher[](number);
        for (uint256 i; i < number; ++i) {
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
        for (uint256 i; i < number; ++i) {
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

    // ------------------------------------------------------------------------------------------------------------ backing

    function setBacking(uint256 payer, uint256 amount) external {
        address from = payers[payer % 2];
        IPayments.BackingState memory b = payments.backing(from);
        // As often as not near what there is to be taken.
        amount = bound(amount, 0, amount % 2 == 0 ? 1e24 : staking.assetsOf(from, from));
        if (amount > b.amount && amount > staking.assetsOf(from, from)) return;
        if (amount == (b.lowersIn == 0 ? b.amount : b.lowered)) return;
        vm.prank(from);
        payments.setBacking(amount);
        if (amount > b.amount) putBehind[from] += amount - b.amount;
    }

    function notify(uint256 which) external {
        if (_vouchers.length == 0) return;
        IPayments.SignedVoucher memory v = _vouchers[which % _vouchers.length];
        IPayments.Channel memory c = payments.channel(v.payer, v.payee);
        if (v.cumulative <= c.collected + c.balance || !_isLiable(v)) return;
        (uint256 endsAt,) = payments.notice(v.payer, v.payee, v.cumulative);
        if (endsAt != 0) return;
        payments.notify(v.payer, v.payee, v.cumulative, v.signature);
    }

    /// @dev The first voucher from `which` on that was noticed, at once when its time is over.
    function enforce(uint256 which) external {
        for (uint256 i; i < _vouchers.length; ++i) {
            IPayments.SignedVoucher memory v = _vouchers[addmod(which, i, _vouchers.length)];
            (uint256 endsAt, uint256 share) = payments.notice(v.payer, v.payee, v.cumulative);
            uint256 collected = payments.channel(v.payer, v.payee).collected;
            if (endsAt == 0 || v.cumulative <= collected) continue;
            if (block.timestamp < endsAt) vm.warp(endsAt);
            _enforce(v, share);
            return;
        }
    }

    function _enforce(IPayments.SignedVoucher memory v, uint256 share) internal {
        staking.accrue(v.payer);
        uint256 votes = staking.assetsOf(v.payer, alice);
        uint256 own = staking.assetsOf(v.payer, v.payer);
        uint256 before = cai.balanceOf(v.payee);
        uint256 supply = cai.totalSupply();
        IPayments.BackingState memory b = payments.backing(v.payer);
        uint256 amount = payments.enforce(v.payer, v.payee, v.cumulative);
        received[v.payee] += cai.balanceOf(v.payee) - before;
        burned += supply - cai.totalSupply();
        covered[v.payer][v.payee] += amount;

        _assertCollected(v.payer, v.payee);
        assertLe(amount, b.amount, "more than the backing");
        if (amount != 0) {
            assertLe(covered[v.payer][v.payee], (b.amount + b.paid) * share / 1e18, "more than the payee's part");
        }
        assertGe(staking.assetsOf(v.payer, alice), votes, "a voter lost");
        assertLe(staking.assetsOf(v.payer, v.payer) + amount, own, "the operator's stake fell by less than was paid");
        uint256 collected = payments.channel(v.payer, v.payee).collected;
        (bool jailed,) = staking.jailStatus(v.payer);
        assertTrue(jailed || (collected == v.cumulative && amount == 0), "unpaid and not jailed");
    }

    function unjail(uint256 payer) external {
        address from = payers[payer % 2];
        (bool jailed, uint256 until) = staking.jailStatus(from);
        if (!jailed || block.timestamp < until) return;
        vm.prank(from);
        staking.unjail();
    }

    /// @dev As much as the backing leaves free.
    function leave(uint256 payer, uint256 shares) external {
        address from = payers[payer % 2];
        uint256 own = staking.assetsOf(from, from);
        uint256 backing = payments.backingOf(from);
        if (own < backing + 2) return;
        (uint256 assets, uint256 total) = staking.pool(from);
        shares = bound(shares, 1, staking.sharesOf(from, from));
        uint256 free = (own - backing - 2) * (total + FIRST) / (assets + 1);
        if (shares > free) shares = free;
        if (shares * (assets + 1) < total + FIRST) return;
        _undelegate(from, from, shares);
    }

    function stake(uint256 payer, uint256 amount) external {
        if (staking.isTombstoned(payers[payer % 2])) return;
        _delegate(payers[payer % 2], payers[payer % 2], bound(amount, 1e18, 1e24));
    }

    function slash(uint256 payer, uint256 fraction) external {
        _slash(payers[payer % 2], bound(fraction, 1, 0.1e18));
        slashed[payers[payer % 2]] = true;
    }

    // ------------------------------------------------------------------------------------------------------------- mining

    function fundMining(uint256 amount) public {
        amount = bound(amount, 1, 1e24);
        if (staking.currentEpoch() >= _mining.lastEpoch()) return;
        cai.approve(address(_mining), amount);
        _mining.fund(amount);
        miningFunded += amount;
    }

    /// @dev The first epoch from `epoch` on in which the pair earned something that it did not claim.
    function claim(uint256 epoch, uint256 payer, uint256 payee) external {
        (address from, address to) = (payers[payer % 2], payees[payee % 2]);
        (uint256 first, uint256 ended) = _ended();
        for (uint256 i; i < ended; ++i) {
            uint256 e = first + addmod(epoch, i, ended);
            uint256 claimable = _mining.claimable(e, from, to);
            if (claimable == 0) continue;
            uint256 before = cai.balanceOf(to);
            uint256 amount = _mining.claim(e, from, to);
            assertEq(amount, claimable);
            assertEq(cai.balanceOf(to) - before, amount);
            miningPaid += amount;
            _earned[e][from] += amount;
            (, uint256 share) = payments.workOf(e, from);
            assertLe(_earned[e][from], _mining.emissionOf(e) * share / 1e18, "more than the coordinator's share");
            return;
        }
    }

    function recycle(uint256 epoch) external {
        (uint256 first, uint256 ended) = _ended();
        if (ended == 0) return;
        epoch = first + epoch % ended;
        if (_mining.recycled(epoch)) return;
        if (_mining.emissionOf(epoch) * (1e18 - payments.sharesWorked(epoch)) < 1e18) return;
        uint256 supply = cai.totalSupply();
        _mining.recycle(epoch);
        miningBurned += supply - cai.totalSupply();
    }

    /// @dev The stream's first epoch, and how many of its epochs are over.
    function _ended() internal view returns (uint256 first, uint256 ended) {
        first = _mining.firstEpoch();
        uint256 current = staking.currentEpoch();
        if (current > first) ended = (current > _mining.lastEpoch() ? _mining.lastEpoch() + 1 : current) - first;
    }

    // -------------------------------------------------------------------------------------------------------------- others

    function renewNode(uint256 payer) external {
        _renew(payer % 2);
    }

    function pass(uint256 time) external {
        vm.warp(block.timestamp + bound(time, 1, 2 * EPOCH));
    }

    /// @dev A new node with a key of its own; a payer that left without stake keeps the node it had.
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

    function contracts() external view returns (address, address, address, address) {
        return (address(payments), address(cai), address(staking), address(_mining));
    }
}
