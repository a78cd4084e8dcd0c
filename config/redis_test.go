package config

import "testing"

func TestFormsOfTheRedisURL(t *testing.T) {
	tcp := func(addrs ...string) Redis { return Redis{Network: "tcp", Addrs: addrs} }
	with := func(r Redis, change func(*Redis)) Redis { change(&r); return r }
	for text, expected := range map[string]Redis{
		"embedded":                                    {Embedded: true},
		"redis://h":                                   tcp("h:6379"),
		"redis://127.0.0.1:6380/3":                    with(tcp("127.0.0.1:6380"), func(r *Redis) { r.DB = 3 }),
		"redis://[::1]/0":                             tcp("[::1]:6379"),
		"redis://[::1]:6380/":                         tcp("[::1]:6380"),
		"redis://my_redis:6379":                       tcp("my_redis:6379"),
		"rediss://u:p%40%2Fx@h:1/2":                   with(tcp("h:1"), func(r *Redis) { r.TLS, r.Username, r.Password, r.DB = true, "u", "p@/x", 2 }),
		"redis://:pw@h":                               with(tcp("h:6379"), func(r *Redis) { r.Password = "pw" }),
		"unix:///run/redis.sock":                      {Network: "unix", Addrs: []string{"/run/redis.sock"}},
		"unix://u:p@/run/r@1.sock":                    {Network: "unix", Addrs: []string{"/run/r@1.sock"}, Username: "u", Password: "p"},
		"unix:///run/redis.sock?db=4":                 {Network: "unix", Addrs: []string{"/run/redis.sock"}, DB: 4},
		"redis+sentinel://master@h1:26379,h2:26379/0": with(tcp("h1:26379", "h2:26379"), func(r *Redis) { r.Master = "master" }),
		"rediss+sentinel://u:p@m@h1,h2:1/5": with(tcp("h1:26379", "h2:1"), func(r *Redis) {
			r.Master, r.Username, r.Password, r.DB, r.TLS = "m", "u", "p", 5, true
			r.SentinelUsername, r.SentinelPassword = "u", "p"
		}),
		"redis+sentinel://u:p@m@h1/0?sentinel_password=": with(tcp("h1:26379"), func(r *Redis) { r.Master, r.Username, r.Password = "m", "u", "p" }),
		"redis+sentinel://u:p@m@h1?sentinel_username=s&sentinel_password=q%26": with(tcp("h1:26379"), func(r *Redis) {
			r.Master, r.Username, r.Password, r.SentinelUsername, r.SentinelPassword = "m", "u", "p", "s", "q&"
		}),
	} {
		got, err := ParseRedis(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		want(t, text, got, expected)
	}
}

func TestRedisWithSecretsOfThisMachine(t *testing.T) {
	t.Setenv("STREAM_API_TEST_URL", "redis://:hunter2@h:7000/1")
	c := parse(t, `network: {redis: "${env:STREAM_API_TEST_URL}"}`)
	r, err := c.Redis()
	if err != nil {
		t.Fatal(err)
	}
	want(t, "redis", r, Redis{Network: "tcp", Addrs: []string{"h:7000"}, Password: "hunter2", DB: 1})

	c = parse(t, `network: {redis: "redis://:${env:STREAM_API_TEST_NONE}@h"}`)
	if _, err := c.Redis(); err == nil {
		t.Error("a missing variable was no error")
	}
	t.Setenv("STREAM_API_TEST_URL", "hunter2")
	_, err = load(testHostname, File{Name: "x", Data: []byte(`network: {redis: "${env:STREAM_API_TEST_URL}"}`)})
	if err == nil {
		t.Fatal("nonsense in a variable was accepted")
	}
	golden(t, "testdata/redis-from-variable.golden", err.Error()+"\n")
}
