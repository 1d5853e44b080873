// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {BaseTest, Role} from "../utils/BaseTest.sol";

/// @dev Calls every verb of Staking at random, and keeps an account of its own of what everybody must have: amounts, no shares.
/// A slash multiplies every amount in reach by (1 - fraction); the model knows nothing of prices, rounding or virtual shares.
/// Its amounts are scaled by 1e18.
contract StakingHandler is BaseTest {
    uint256 internal constant ONE = 1e18;
    uint256 internal constant FIRST_EPOCH = 20_000;

    address[3] public operators = [makeAddr("operator 0"), makeAddr("operator 1"), makeAddr("operator 2")];
    Role[3] public roles = [Role.Miner, Role.Miner, Role.Coordinator];
    /// The operators are owners, too.
    address[5] public owners;

    mapping(address operator => mapping(address owner => uint256)) public modelStake;
    mapping(address operator => mapping(address owner => mapping(uint256 epoch => uint256))) public modelBucket;
    mapping(address operator => mapping(uint256 epoch => uint256)) public slashedIn;
    mapping(address operator => bool) public registered;
    mapping(address operator => mapping(uint256 epoch => uint256)) public weightWhenBegan;
    mapping(Role role => mapping(uint256 epoch => uint256)) public totalWhenBegan;
    mapping(address owner => uint256) public deposited;
    mapping(address owner => uint256) public withdrawn;
    mapping(string verb => uint256) public calls;
    /// How many times something was rounded, so many wei the model may be off.
    uint256 public roundings;
    uint256 public totalDeposited;
    uint256 public totalWithdrawn;
    uint256 public totalSlashed;
    uint256 public totalPaid;

    function setUp() public override {
        super.setUp();
        owners = [operators[0], operators[1], operators[2], alice, bob];
        _deposit(operators[0], operators[0], 30_000e18);
        _deposit(operators[2], operators[2], 3_000_000e18);
    }

    // --------------------------------------------------------------------------------------------------------------- actions

    modifier counted(string memory verb) {
        ++calls[verb];
        _;
    }

    function delegate(uint256 operatorSeed, uint256 ownerSeed, uint256 assets, bool dust) external counted("delegate") {
        (address operator, address owner) = _pick(operatorSeed, ownerSeed);
        if (staking.isTombstoned(operator)) return;
        _deposit(operator, owner, dust ? bound(assets, 1, 1e7) : bound(assets, 1e18, 5e24));
    }

    function undelegate(uint256 operatorSeed, uint256 ownerSeed, uint256 part, bool all)
        external
        counted("undelegate")
    {
        (address operator, address owner) = _pick(operatorSeed, ownerSeed);
        uint256 held = staking.sharesOf(operator, owner);
        if (staking.assetsOf(operator, owner) == 0) return;
        // Shares worth a wei at least.
        (uint256 assets, uint256 total) = staking.pool(operator);
        uint256 least = (total + FIRST) / (assets + 1) + 1;
        uint256 shares = all || least >= held ? held : bound(part, least, held);
        uint256[] memory prices = _prices();
        _undelegate(operator, owner, shares);
        _assertNoPriceFell(prices, type(uint256).max);

        uint256 moved = modelStake[operator][owner] * shares / held;
        modelStake[operator][owner] -= moved;
        modelBucket[operator][owner][staking.currentEpoch()] += moved;
        roundings += 2;
    }

    function cancel(uint256 operatorSeed, uint256 ownerSeed, uint256 ago) external counted("cancel") {
        (address operator, address owner) = _pick(operatorSeed, ownerSeed);
        uint256 epoch = _ago(ago);
        if (staking.isTombstoned(operator) || staking.bucketAssetsOf(operator, epoch, owner) == 0) return;
        uint256[] memory prices = _prices();
        _cancel(operator, owner, epoch);
        _assertNoPriceFell(prices, type(uint256).max);
        modelStake[operator][owner] += modelBucket[operator][owner][epoch];
        modelBucket[operator][owner][epoch] = 0;
        roundings += 2;
    }

    function withdraw(uint256 operatorSeed, uint256 ownerSeed, uint256 ago) external counted("withdraw") {
        (address operator, address owner) = _pick(operatorSeed, ownerSeed);
        uint256 epoch = _ago(ago);
        if (staking.currentEpoch() < epoch + 3 || staking.bucketAssetsOf(operator, epoch, owner) == 0) return;
        _withdraw(operator, owner, epoch);
    }

    function slash(uint256 operatorSeed, uint256 fraction, uint256 reward) external counted("slash") {
        address operator = operators[operatorSeed % 3];
        fraction = bound(fraction, 1, 0.5e18);
        reward = bound(reward, 0, 1e24);
        uint256 epoch = staking.currentEpoch();
        uint256[] memory prices = _prices();
        vm.prank(slasher);
        (uint256 slashed, uint256 paid) = staking.slash(operator, fraction, carol, reward);
        _assertNoPriceFell(prices, operatorSeed % 3);

        uint256 spent = slashedIn[operator][epoch];
        if (fraction > 0.75e18 - spent) fraction = 0.75e18 - spent;
        slashedIn[operator][epoch] = spent + fraction;
        (uint256 loss, uint256 ownLoss) = _slashModel(operator, epoch, fraction);
        roundings += 4;
        assertLe(slashed * ONE, loss + roundings * ONE, "more than the fraction");
        assertGe((slashed + roundings) * ONE, loss, "less than the fraction");
        assertLe(paid, reward);
        assertLe(2 * paid * ONE, ownLoss + roundings * ONE, "more than half of the own loss");
        totalSlashed += slashed;
        totalPaid += paid;
    }

    function setRegistered(uint256 operatorSeed, bool on) external counted("setRegistered") {
        address operator = operators[operatorSeed % 3];
        Role role = roles[operatorSeed % 3];
        if (on == registered[operator]) return;
        if (on && staking.assetsOf(operator, operator) <= staking.minStake(role)) return;
        vm.prank(operator);
        if (on) registry.register(role, operator, "https://x", "", "");
        else registry.retire();
        registered[operator] = on;
    }

    function pass(uint256 time) external counted("pass") {
        uint256 before = staking.currentEpoch();
        uint256[3] memory weights;
        for (uint256 i; i < 3; ++i) {
            weights[i] = staking.weightOf(operators[i]);
        }
        uint256[2] memory totals = [staking.totalWeight(Role.Miner), staking.totalWeight(Role.Coordinator)];
        vm.warp(block.timestamp + bound(time, 1, 2 * EPOCH));
        for (uint256 epoch = before + 1; epoch <= staking.currentEpoch(); ++epoch) {
            for (uint256 i; i < 3; ++i) {
                weightWhenBegan[operators[i]][epoch] = weights[i];
            }
            totalWhenBegan[Role.Miner][epoch] = totals[0];
            totalWhenBegan[Role.Coordinator][epoch] = totals[1];
        }
    }

    // ----------------------------------------------------------------------------------------------------- the end of a run

    /// @dev Everybody leaves: whatever happened before, every exit succeeds.
    function leaveAll() external {
        for (uint256 i; i < 3; ++i) {
            for (uint256 j; j < 5; ++j) {
                if (staking.assetsOf(operators[i], owners[j]) == 0) continue;
                _undelegate(operators[i], owners[j], staking.sharesOf(operators[i], owners[j]));
                roundings += 2;
            }
        }
        uint256 last = staking.currentEpoch();
        _nextEpoch(3);
        for (uint256 i; i < 3; ++i) {
            for (uint256 j; j < 5; ++j) {
                for (uint256 epoch = FIRST_EPOCH; epoch <= last; ++epoch) {
                    if (staking.bucketAssetsOf(operators[i], epoch, owners[j]) == 0) continue;
                    _withdraw(operators[i], owners[j], epoch);
                }
            }
        }
    }

    // -------------------------------------------------------------------------------------------------------------- internal

    function _deposit(address operator, address owner, uint256 assets) internal {
        uint256[] memory prices = _prices();
        _delegate(operator, owner, assets);
        _assertNoPriceFell(prices, type(uint256).max);
        modelStake[operator][owner] += assets * ONE;
        deposited[owner] += assets;
        totalDeposited += assets;
        roundings += 1;
    }

    function _withdraw(address operator, address owner, uint256 epoch) internal {
        uint256[] memory prices = _prices();
        uint256 before = cai.balanceOf(owner);
        uint256 assets = staking.withdraw(operator, epoch, owner);
        assertEq(cai.balanceOf(owner), before + assets, "paid to the owner");
        _assertNoPriceFell(prices, type(uint256).max);
        modelBucket[operator][owner][epoch] = 0;
        withdrawn[owner] += assets;
        totalWithdrawn += assets;
        roundings += 1;
    }

    function _slashModel(address operator, uint256 epoch, uint256 fraction)
        internal
        returns (uint256 loss, uint256 ownLoss)
    {
        for (uint256 j; j < 5; ++j) {
            address owner = owners[j];
            uint256 lost = modelStake[operator][owner] * fraction / ONE;
            modelStake[operator][owner] -= lost;
            for (uint256 e = epoch - 2; e <= epoch; ++e) {
                uint256 part = modelBucket[operator][owner][e] * fraction / ONE;
                modelBucket[operator][owner][e] -= part;
                lost += part;
            }
            loss += lost;
            if (owner == operator) ownLoss = lost;
        }
    }

    function _pick(uint256 operatorSeed, uint256 ownerSeed) internal view returns (address, address) {
        return (operators[operatorSeed % 3], owners[ownerSeed % 5]);
    }

    function _ago(uint256 ago) internal view returns (uint256) {
        return staking.currentEpoch() - ago % 6;
    }

    /// @dev Assets and shares of the pools, then of the last six buckets of each.
    function _prices() internal view returns (uint256[] memory prices) {
        prices = new uint256[](3 * 7 * 2);
        uint256 epoch = staking.currentEpoch();
        for (uint256 i; i < 3; ++i) {
            (prices[i * 14], prices[i * 14 + 1]) = staking.pool(operators[i]);
            for (uint256 k; k < 6; ++k) {
                (prices[i * 14 + 2 + 2 * k], prices[i * 14 + 3 + 2 * k]) = staking.bucket(operators[i], epoch - k);
            }
        }
    }

    /// @dev (assets + 1) / (shares + 1e6) after >= before, but where `slashed` was.
    function _assertNoPriceFell(uint256[] memory before, uint256 slashed) internal view {
        uint256[] memory now_ = _prices();
        for (uint256 i; i < now_.length; i += 2) {
            if (i / 14 == slashed) continue;
            assertGe((now_[i] + 1) * (before[i + 1] + FIRST), (before[i] + 1) * (now_[i + 1] + FIRST), "a price fell");
        }
    }

    // ----------------------------------------------------------------------------------------------------------- for the test

    function contracts() external view returns (address, address) {
        return (address(staking), address(cai));
    }
}
