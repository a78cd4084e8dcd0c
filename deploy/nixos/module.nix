# services.stream-api: a stream-api host. Its settings become the YAML that
# docs/configuration.md describes, and a system whose file check-config refuses
# does not build. A switch to another system stops nothing on air: the file and
# the program are taken up by a reload.
{ config, lib, pkgs, ... }:
let
  cfg = config.services.stream-api;
  yaml = pkgs.formats.yaml { };
  # Secrets are no part of the store: the file names them as ${file:/run/secrets/…}
  # and the check, which has none of them here, warns and goes on.
  file = pkgs.runCommand "stream-api.yaml" { } ''
    cp ${yaml.generate "stream-api.yaml" cfg.settings} $out
    ${lib.optionalString (pkgs.stdenv.buildPlatform == pkgs.stdenv.hostPlatform)
      "${cfg.package}/bin/stream-api check-config -q $out"}
  '';
in
{
  options.services.stream-api = {
    enable = lib.mkEnableOption "a stream-api host";
    package = lib.mkOption {
      type = lib.types.package;
      example = lib.literalExpression "pkgs.callPackage ./package.nix { src = ./stream-api-1.0-linux-amd64.tar.gz; }";
      description = "The package whose bin/stream-api is run.";
    };
    settings = lib.mkOption {
      type = yaml.type;
      default = { };
      example = { network.redis = "redis://redis.lan:6379/0"; };
      description = "The configuration of this host.";
    };
    path = lib.mkOption {
      type = lib.types.listOf lib.types.package;
      default = [ ];
      example = lib.literalExpression "[ pkgs.bash pkgs.ffmpeg ]";
      description = "What scripts find in their PATH.";
    };
  };

  config = lib.mkIf cfg.enable {
    environment.systemPackages = [ cfg.package ];
    environment.etc."stream-api/config.yaml".source = file;

    users.users.stream-api = { isSystemUser = true; group = "stream-api"; home = "/var/lib/stream-api"; };
    users.groups.stream-api = { };

    systemd.services.stream-api = {
      description = "stream-api host";
      wantedBy = [ "multi-user.target" ];
      wants = [ "network-online.target" ];
      after = [ "network-online.target" "network.target" "nss-lookup.target" "remote-fs.target" "redis.service" ];
      path = cfg.path;
      # What a new system changes is taken up by a reload; a restart would adopt as well.
      reloadIfChanged = true;
      reloadTriggers = [ file cfg.package ];
      unitConfig.StartLimitIntervalSec = 0;
      # Each line is explained in the project's deploy/systemd/stream-api.service.
      serviceConfig = {
        User = "stream-api";
        Group = "stream-api";
        ExecStartPre = "/run/current-system/sw/bin/stream-api check-config -q /etc/stream-api/config.yaml";
        ExecStart = "/run/current-system/sw/bin/stream-api run -c /etc/stream-api/config.yaml";
        ExecReload = [
          "/run/current-system/sw/bin/stream-api check-config -q --here /etc/stream-api/config.yaml"
          "${pkgs.coreutils}/bin/kill -HUP $MAINPID"
        ];
        ExecStop = "+${pkgs.writeShellScript "stream-api-leave" ''
          test -n "$MAINPID" || exit 0
          ${pkgs.systemd}/bin/systemctl list-jobs --no-legend stream-api.service | ${pkgs.gnugrep}/bin/grep -qw restart && exit 0
          ${pkgs.coreutils}/bin/kill -TERM "$MAINPID"
          exec ${pkgs.coreutils}/bin/tail -s 0.2 --pid="$MAINPID" -f /dev/null
        ''}";
        ExecStopPost = "-${pkgs.writeShellScript "stream-api-take-back" ''
          g=/sys/fs/cgroup$(${pkgs.gnused}/bin/sed -n 's|^0::||p' /proc/self/cgroup)
          cd "''${g%/.control}" || exit 0
          for c in $(${pkgs.coreutils}/bin/cat cgroup.subtree_control); do echo "-$c" >cgroup.subtree_control; done
        ''}";
        KillSignal = "SIGUSR1";
        KillMode = "process";
        Restart = "on-failure";
        RestartSec = "500ms";
        TimeoutStopSec = "2min";
        Delegate = true;
        OOMPolicy = "continue";
        TasksMax = "infinity";
        LimitNOFILE = 65536;
        LimitMEMLOCK = "infinity";
        StateDirectory = "stream-api";
        NoNewPrivileges = true;
        ProtectSystem = "full";
        PrivateTmp = false;
      };
    };
  };
}
