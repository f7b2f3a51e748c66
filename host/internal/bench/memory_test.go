package bench

const bareEnv = "TAPNODE_BENCH_BARE"

func bareMain(string) int { return 0 }
